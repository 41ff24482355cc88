/*
 * Live pages: the page is fetched again now and then, and its parts, [data-durable-part], are put in place of those that
 * are shown, all at once: buttons are always those of the state that stands beside them.
 *
 * An extra: without it every page works, and shows what there was when it was loaded. Nothing is fetched while nobody
 * looks (the tab is hidden or the window has no focus), while text is selected, while the keyboard is inside a part or
 * the mouse at a button, and after the switch was turned off. How often is said by [data-durable-live]; a workflow that
 * has ended needs no look: the attribute is empty then.
 */
"use strict";
(() => {
  const pause = () => Number(document.querySelector("[data-durable-live]")?.dataset.durableLive || 0);
  const parts = () => [...document.querySelectorAll("[data-durable-part]")];
  let isOn = true;

  function isBusy() {
    const selected = window.getSelection();
    const isSelecting = selected !== null && !selected.isCollapsed;
    // A button that gives way under the mouse would let another one be pressed.
    const isAiming = document.querySelector('[data-durable-part="buttons"] a:hover') !== null;
    const isUsed = (part) =>
      part.contains(document.activeElement) || (isSelecting && part.contains(selected.anchorNode));
    return document.hidden || !document.hasFocus() || isAiming || parts().some(isUsed);
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
    const same = (part) => page.querySelector(`[data-durable-part="${CSS.escape(part.dataset.durablePart)}"]`);
    const pairs = parts().map((before) => [before, same(before)]);
    if (isBusy() || pairs.some(([, after]) => after === null)) {
      return;
    }
    for (const [before, after] of pairs) {
      keep(before, after);
      before.replaceWith(after);
      scroll(before, after);
    }
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
