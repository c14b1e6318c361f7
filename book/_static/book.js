// Pages that were opened from a disk may not read each other, so the search shows titles without extracts there.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

// What scrolls sideways can be reached, and scrolled, with the keyboard.
const reachable = new ResizeObserver((changes) => {
  for (const { target } of changes) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
addEventListener("DOMContentLoaded", () => {
  const boxes = ".bd-article pre, .bd-article table:not(.harness-table), figure.harness-plot";
  for (const box of document.querySelectorAll(boxes)) reachable.observe(box);
});

// The theme opens a page's source in a new tab, though its button promises a download. From a disk a browser can only do the former.
addEventListener("DOMContentLoaded", () => {
  if (location.protocol === "file:") return;
  for (const link of document.querySelectorAll("a.btn-download-source-button")) {
    link.removeAttribute("target");
    link.download = "";
  }
});
