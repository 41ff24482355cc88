/* The progress of an order, live: its stream comes as server-sent events, from the first entry on. */

const list = document.querySelector("[data-stream]");

if (list) {
  // After a lost connection the browser connects again by itself, and goes on behind the last entry that it has.
  const stream = new EventSource(list.dataset.stream);

  // The server has written the latest news into the list, for browsers without scripts.
  stream.addEventListener("open", () => list.replaceChildren(), { once: true });

  stream.addEventListener("message", ({ data }) => {
    const item = document.createElement("li");
    item.textContent = JSON.parse(data);
    list.append(item);
  });

  // The workflow has ended. If it was not over when the page was made, the page now has more to show.
  stream.addEventListener("end", () => {
    stream.close();
    if ("live" in list.dataset) location.reload();
  });
}
