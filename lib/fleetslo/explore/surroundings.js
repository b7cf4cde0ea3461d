// What figures need to know of the page they stand on: whether it is dark.
export default {
  render({ model, el }) {
    const look = () => {
      model.set("dark", document.body.dataset.jpThemeLight === "false");
      model.save_changes();
    };
    const themes = new MutationObserver(look);
    themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
    el.style.display = "none";
    look();
    return () => themes.disconnect();
  },
};
