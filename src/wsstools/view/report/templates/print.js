// Older browsers print what is folded only if it is open; the style sheet opens it in newer ones.
addEventListener("beforeprint", function () {
  document.querySelectorAll("details").forEach(function (fold) { fold.open = true; });
});
