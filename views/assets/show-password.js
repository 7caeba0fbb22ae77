// Lets people look at the password they typed. Without this script the buttons stay hidden and nothing is missing.
for (const button of document.querySelectorAll('button[data-reveals]')) {
  const input = document.getElementById(button.dataset.reveals);
  if (!input) continue;
  const show = (visible) => {
    input.type = visible ? 'text' : 'password';
    button.textContent = visible ? button.dataset.hide : button.dataset.show;
    button.setAttribute('aria-label', visible ? button.dataset.hideLabel : button.dataset.showLabel);
  };
  button.addEventListener('click', () => show(input.type === 'password'));
  // A visible field would be offered again from the browser's memory of typed texts.
  input.form?.addEventListener('submit', () => show(false));
  button.hidden = false;
}
