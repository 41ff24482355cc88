"""Letters from customers: an assistant proposes what to do, a person decides, the workflow carries it out."""
