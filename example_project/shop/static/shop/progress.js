/* The progress of an order, live: its stream comes as server-sent events, from the first entry on. */

const list = document.querySelector("[data-stream]");
let stream = null;
let last = -1; // the number of the latest entry in the list
let isOver = false;
let refreshing = Promise.resolve();

function follow() {
  // After a lost connection the browser connects again by itself, and goes on behind the last entry that it has.
  stream = new EventSource(list.dataset.stream);
  stream.addEventListener("message", show);
  stream.addEventListener("end", end);
}

function show({ data, lastEventId }) {
  if (Number(lastEventId) <= last) return;
  // The server has written the latest news into the list, for browsers without scripts.
  if (last < 0) list.replaceChildren();
  last = Number(lastEventId);
  const item = document.createElement("li");
  item.textContent = JSON.parse(data);
  list.append(item);
  refresh();
}

function end() {
  stream.close();
  isOver = true;
  refresh();
}

// What else is new stands in the page of the order: take the parts that change from there, one look after the other.
// If the workflow had ended when the page was made, there is nothing new.
function refresh() {
  if ("live" in list.dataset) refreshing = refreshing.then(takeParts).catch(console.warn);
}

async function takeParts() {
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-part]")) {
    const fresh = page.querySelector(`[data-part="${part.dataset.part}"]`);
    if (fresh) part.replaceWith(fresh);
  }
}

if (list) {
  follow();
  // A browser opens few connections to one server, for all its tabs together: a tab that nobody sees needs none.
  document.addEventListener("visibilitychange", () => {
    if (isOver) return;
    stream.close();
    if (!document.hidden) follow();
  });
}
