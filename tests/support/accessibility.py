"""What a page must offer to those who do not see it as its makers do, read from the page as Chromium has it.

unnamed     controls that a screen reader cannot name
faint       texts whose contrast with what they stand on is below what WCAG 2.2 AA wants
wide        how far a page can be scrolled sideways
reached     what Tab comes to, in order
tab_to      goes on by Tab until it comes to something
"""

from dataclasses import dataclass
from typing import Final

from playwright.async_api import Page

CONTROLS: Final = frozenset(
    {"button", "link", "textbox", "searchbox", "slider", "checkbox", "switch", "combobox", "radio", "tab", "spinbutton"}
    | {"menuitem", "option", "image", "img", "table", "dialog"}
)
"""Roles that say nothing without a name."""

_FAINT: Final = """
() => {
  const parsed = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[0-9.]+/g).map(Number);
    return { rgb: [r, g, b], alpha: a };
  };
  const over = (top, alpha, ground) => top.map((one, i) => one * alpha + ground[i] * (1 - alpha));
  const probe = document.body.appendChild(document.createElement("div"));
  probe.style.backgroundColor = "Canvas";
  const canvas = parsed(getComputedStyle(probe).backgroundColor).rgb;
  probe.remove();
  const ground = (element) => {
    if (!element) return canvas;
    const style = getComputedStyle(element), own = parsed(style.backgroundColor);
    return own.alpha === 1 ? own.rgb : over(own.rgb, own.alpha, ground(element.parentElement));
  };
  const faded = (element) => element ? Number(getComputedStyle(element).opacity) * faded(element.parentElement) : 1;
  const light = (rgb) => rgb.map((one) => one / 255)
    .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4))
    .reduce((sum, one, i) => sum + one * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (one, other) => {
    const [dark, bright] = [light(one), light(other)].sort((a, b) => a - b);
    return (bright + 0.05) / (dark + 0.05);
  };
  const off = (element) => element.closest("[disabled], [aria-disabled=true], [aria-hidden=true], .q-icon, svg, canvas");
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, words = walker.currentNode.data.trim();
    if (!words || off(element) || ["SCRIPT", "STYLE", "NOSCRIPT"].includes(element.tagName)) continue;
    if (!element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })) continue;
    const box = element.getBoundingClientRect();
    if (!box.width || !box.height || box.right < 0) continue;
    const style = getComputedStyle(element), ink = parsed(style.color), on = ground(element);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const measured = contrast(over(ink.rgb, ink.alpha * faded(element), on), on);
    if (measured < (large ? 3 : 4.5)) found.push(`${words.slice(0, 40)}: ${measured.toFixed(2)}`);
  }
  return [...new Set(found)];
}
"""
_FOCUSED: Final = """
() => {
  const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
  const nearby = [one, one.parentElement, one.closest(".q-field, .q-slider, .q-toggle, .q-checkbox, .q-btn, .q-item")];
  return {
    words: (one.getAttribute("aria-label") || one.innerText || one.labels?.[0]?.innerText || one.placeholder || "").trim(),
    role: one.getAttribute("role") || one.tagName.toLowerCase(),
    seen: box.width > 0 && box.height > 0,
    outlined: nearby.some((at) => at && getComputedStyle(at).outlineStyle !== "none") || style.boxShadow !== "none",
  };
}
"""


@dataclass(frozen=True, slots=True)
class Stop:
    """Where Tab has come to."""

    words: str
    role: str
    seen: bool
    outlined: bool


async def unnamed(page: Page) -> list[str]:
    """Roles of the controls that Chromium's accessibility tree has no name for, with the place of each."""
    session = await page.context.new_cdp_session(page)
    tree = await session.send("Accessibility.getFullAXTree")
    found = []
    for node in tree["nodes"]:
        role = node.get("role", {}).get("value")
        if role in CONTROLS and not node["ignored"] and not node.get("name", {}).get("value", "").strip():
            described = await session.send("DOM.describeNode", {"backendNodeId": node["backendDOMNodeId"]})
            attributes = described["node"].get("attributes", [])
            found.append(f"{role} {dict(zip(attributes[::2], attributes[1::2], strict=True))}")
    await session.detach()
    return found


async def faint(page: Page) -> list[str]:
    """Visible texts that are too faint, with their contrast; what is switched off may be faint."""
    found: list[str] = await page.evaluate(_FAINT)
    return found


async def wide(page: Page) -> int:
    """Pixels by which the page is wider than what shows it."""
    beyond: int = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return beyond


async def focused(page: Page) -> Stop:
    """What has the focus."""
    return Stop(**await page.evaluate(_FOCUSED))


async def reached(page: Page, most: int = 120) -> list[Stop]:
    """What Tab comes to, from the top of the page until it leaves the page or comes back to where it began."""
    await page.evaluate("document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex')")
    stops: list[Stop] = []
    for _ in range(most):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement === document.body"):
            break
        stops.append(await focused(page))
    return stops


async def tab_to(page: Page, name: str, most: int = 120) -> None:
    """Goes on by Tab until what is called so has the focus. Fails if it is not come to."""
    for _ in range(most):
        if (await focused(page)).words == name:
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not come to {name}")
