/* A frame as tall as its page, so that a phone scrolls one thing only. Opened as a file, a page may not look
   into its frame, which keeps the height of the style then. */
const frame = document.querySelector("iframe.steps");
frame.addEventListener("load", () => {
  const body = frame.contentDocument?.body;
  if (!body) return;
  new ResizeObserver(() => {
    frame.style.height = `${Math.ceil(body.getBoundingClientRect().height) + 4}px`;
  }).observe(body);
});
