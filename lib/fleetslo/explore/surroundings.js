// What widgets need of the page they stand on: whether it is dark, and that keys reach them.
export default {
  render({ model, el }) {
    const look = () => {
      model.set("dark", document.body.dataset.jpThemeLight === "false");
      model.save_changes();
    };
    const themes = new MutationObserver(look);
    themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
    el.style.display = "none";
    // JupyterLab takes keys before a list does: an arrow would move to the next cell, a letter
    // would do what it does to cells. In our lists they choose; Tab, Escape and chords stay its own.
    const keep = (event) => {
      const chord = event.ctrlKey || event.metaKey || event.altKey;
      const ours = event.target instanceof HTMLSelectElement && el.parentElement?.contains(event.target);
      if (ours && !chord && !["Tab", "Escape"].includes(event.key)) event.stopPropagation();
    };
    window.addEventListener("keydown", keep, true);
    look();
    return () => {
      themes.disconnect();
      window.removeEventListener("keydown", keep, true);
    };
  },
};
