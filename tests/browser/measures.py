"""What is measured inside of a page, or done to it, in the browser's own language."""

#: What sticks out of a page that is wider than its window.
STICKING_OUT = """
const width = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth <= width) return [];
const scrolls = (found) => found !== document.body
  && (getComputedStyle(found).overflowX !== "visible" || scrolls(found.parentElement));
// A word that is too long sticks out of its element, too.
const right = (found) => found.getBoundingClientRect().left + Math.max(found.offsetWidth || 0, found.scrollWidth);
const sticks = (found) => right(found) > width && !scrolls(found);
const out = [...document.body.querySelectorAll("body *")].filter(sticks);
const names = out.slice(-5).map((found) => found.outerHTML.slice(0, 100));
return [`${document.documentElement.scrollWidth - width} px`, ...names];
"""

#: What fits a selector and has to be scrolled sideways to be read.
SCROLLING = """
const scrolls = (found) => found.scrollWidth > found.clientWidth;
return [...document.querySelectorAll(arguments[0])].filter(scrolls).map((found) => found.innerText.slice(0, 100));
"""

#: Whether the text of what fits one selector is covered by something that fits another one.
COVERED = """
const found = (selector) => [...document.querySelectorAll(selector)];
const texts = found(arguments[0]).map((each) => {
  const range = document.createRange();
  range.selectNodeContents(each);
  return range.getBoundingClientRect();
});
const boxes = found(arguments[1]).map((each) => each.getBoundingClientRect());
const meet = (one, two) => one.left < two.right && two.left < one.right && one.top < two.bottom && two.top < one.bottom;
return texts.some((text) => boxes.some((box) => meet(text, box)));
"""

#: What the keyboard is at: not what is shown, which a style may have put in capitals.
FOCUSED = """
const found = document.activeElement;
return found.textContent.trim().replace(/\\s+/g, " ") || found.name || "";
"""

#: Links, buttons and boxes in what fits a selector that look the same with the keyboard on them.
LOOK_ALIKE = """
const looks = ["outline", "boxShadow", "border", "backgroundColor", "color", "textDecoration"];
const look = (found) => { const style = getComputedStyle(found); return looks.map((name) => style[name]).join(";"); };
const alike = [];
for (const part of document.querySelectorAll(arguments[0])) {
  for (const found of part.querySelectorAll("a[href], button, summary, input:not([type=hidden]), [tabindex='0']")) {
    if (!found.checkVisibility()) continue;
    document.activeElement.blur();
    const before = look(found);
    found.focus({ focusVisible: true, preventScroll: true });
    if (look(found) === before) alike.push(found.outerHTML.slice(0, 100));
  }
}
return alike;
"""

#: Elements that fit a selector, are more than a mark, and have a light ground of their own.
LIGHT_PATCHES = """
const light = [];
for (const found of document.querySelectorAll(arguments[0])) {
  if (found.clientWidth * found.clientHeight < 2000) continue;
  const parts = getComputedStyle(found).backgroundColor.match(/[\\d.]+/g).map(Number);
  const [red, green, blue, opacity = 1] = parts;
  if (opacity > 0.5 && (0.2126 * red + 0.7152 * green + 0.0722 * blue) > 150) light.push(found.outerHTML.slice(0, 100));
}
return light;
"""

#: Puts a style and a script into the page, as a careless template would.
PUT_IN_LINE = """
const part = document.createElement("p");
part.innerHTML = "<span style='color: red'>red</span>";
const script = document.createElement("script");
script.textContent = "document.title = 'changed'";
document.body.append(part, script);
"""

#: How far below the beginning of the page an element begins.
TOP = "return Math.floor(document.querySelector(arguments[0]).getBoundingClientRect().top + scrollY);"

#: Marks the page that is left.
LEAVE = "window.isLeft = true;"

#: Whether another page than that is there, and complete.
ARRIVED = "return !window.isLeft && document.readyState === 'complete';"
