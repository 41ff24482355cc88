/*
 * Live pages: what stands in [data-durable-live] is fetched again now and then, and put in its place.
 *
 * An extra: without it every page works, and shows what there was when it was loaded. Nothing is fetched while nobody
 * looks (the tab is hidden or the window has no focus), while text is selected, while the keyboard is inside the part
 * that would be replaced, and after the switch was turned off. A workflow that has ended needs no look: the attribute
 * is empty then.
 */
"use strict";
(() => {
  const find = () => document.querySelector("[data-durable-live]");
  const pause = () => Number(find()?.dataset.durableLive || 0);
  let isOn = true;

  function isBusy() {
    const region = find();
    const selected = window.getSelection();
    const isSelecting = selected !== null && !selected.isCollapsed && region.contains(selected.anchorNode);
    return document.hidden || !document.hasFocus() || isSelecting || region.contains(document.activeElement);
  }

  function keep(before, after) {
    for (const details of before.querySelectorAll("details[id]")) {
      const same = after.querySelector(`#${CSS.escape(details.id)}`);
      if (same !== null) {
        same.open = details.open;
      }
    }
  }

  function scroll(before, after) {
    for (const box of before.querySelectorAll("[data-durable-scroll]")) {
      const same = after.querySelector(`[data-durable-scroll="${CSS.escape(box.dataset.durableScroll)}"]`);
      if (same !== null) {
        same.scrollTo(box.scrollLeft, box.scrollTop);
      }
    }
  }

  async function look() {
    const answer = await fetch(window.location.href, { credentials: "same-origin", cache: "no-store" });
    if (!answer.ok || answer.redirected) {
      isOn = false;
      tell();
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const after = page.querySelector("[data-durable-live]");
    const before = find();
    if (after === null || before === null || isBusy()) {
      return;
    }
    keep(before, after);
    before.replaceWith(after);
    scroll(before, after);
  }

  async function turn() {
    if (isOn && !isBusy()) {
      // A server that restarts, or a network that is away: the next turn looks again.
      await look().catch(() => {});
    }
    if (pause()) {
      window.setTimeout(turn, pause());
    } else {
      document.querySelector("[data-durable-switch]")?.remove();
    }
  }

  function tell() {
    const box = document.querySelector("[data-durable-switch]");
    const button = box?.querySelector("button");
    if (button) {
      box.hidden = false;
      button.setAttribute("aria-pressed", String(isOn));
      button.textContent = isOn ? button.dataset.on : button.dataset.off;
    }
  }

  function begin() {
    if (!pause()) {
      return;
    }
    document.querySelector("[data-durable-switch] button")?.addEventListener("click", () => {
      isOn = !isOn;
      tell();
    });
    tell();
    window.setTimeout(turn, pause());
  }

  document.addEventListener("DOMContentLoaded", begin);
})();
