"""Letters of several clubs to their members, through one mail provider that takes only so many in a while."""
