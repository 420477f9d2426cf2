// Makes more of the desk's pages where scripts run: live figures, drag and drop, progress of uploads and of scoring.
// Each part works on elements that say so themselves, and takes its texts from them. Without it the pages work too.
"use strict";

const PAUSE = 100; // milliseconds between two questions while a slider moves
const LOOK_AGAIN = 5000; // milliseconds

function make(tag, attributes, text = "") {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

async function asDocument(answer) {
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// Puts the live parts of another version of this page in the place of those that are shown.
function renew(page, settled) {
  for (const fresh of page.querySelectorAll("[data-live]")) {
    const shown = document.getElementById(fresh.id);
    if (!shown || shown.innerHTML === fresh.innerHTML) continue;
    if (fresh.getAttribute("role") === "status") {
      shown.setAttribute("aria-live", settled ? "polite" : "off"); // not each step of a slider that moves on
    }
    const open = [...shown.querySelectorAll("details")].map((one) => one.open);
    const focusable = "a, button, summary, [tabindex]";
    const focus = [...shown.querySelectorAll(focusable)].indexOf(document.activeElement);
    shown.replaceChildren(...fresh.childNodes);
    shown.querySelectorAll("details").forEach((one, number) => (one.open = open[number] ?? false));
    if (focus >= 0) shown.querySelectorAll(focusable)[focus]?.focus({ preventScroll: true });
  }
}

// A form whose answers are tried while they are given: its address answers with the page by these answers.
function preview(form) {
  let changes = 0;
  let asking = false;

  async function ask() {
    asking = true;
    try {
      for (let seen = -1; seen !== changes; ) {
        await new Promise((done) => setTimeout(done, PAUSE));
        seen = changes;
        const answers = [...form.elements].filter((one) => one.name && one.type !== "hidden");
        const query = new URLSearchParams(answers.map((one) => [one.name, one.value]));
        const answer = await fetch(`${form.dataset.preview}?${query}`);
        // A wrong answer, such as an empty field, leaves the figures as they were: Calculate says what is wrong.
        if (answer.ok && !answer.redirected) renew(await asDocument(answer), seen === changes);
      }
    } catch {
      // The desk does not answer now; Calculate says so.
    } finally {
      asking = false;
    }
  }

  form.addEventListener("input", () => {
    changes += 1;
    if (!asking) ask();
  });
}

// A slider and its number follow each other.
function slider(range) {
  const number = document.getElementById(range.dataset.slides);
  const digits = new Intl.NumberFormat(document.documentElement.lang);
  const say = () => {
    range.setAttribute("aria-valuetext", range.dataset.says.replace("{number}", digits.format(range.value)));
  };
  range.addEventListener("input", () => {
    number.value = range.value;
    say();
  });
  number.addEventListener("input", () => {
    if (number.value) range.value = number.value;
    say();
  });
  range.hidden = false;
  say();
}

// A file is dropped on its question as well as chosen.
function drop(input) {
  const zone = input.closest(".field");
  const over = (is) => zone.classList.toggle("over", is);
  zone.classList.add("drops");
  zone.querySelector("label").append(" ", make("span", { class: "soft" }, input.dataset.drop));
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    over(true);
  });
  zone.addEventListener("dragleave", (event) => over(zone.contains(event.relatedTarget)));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    if (!event.dataTransfer.files.length) return;
    const first = new DataTransfer(); // a list is one file
    first.items.add(event.dataTransfer.files[0]);
    input.files = first.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
  // A file that misses the question would take the place of the page.
  for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());
}

// Sends a form and shows how much of it is uploaded; a refusal leaves the form as it is, with the chosen file.
function upload(form) {
  const texts = form.dataset;
  const label = make("label", { for: "uploaded" }, texts.uploading);
  const bar = make("progress", { id: "uploaded", max: "1", value: "0" });
  const box = make("div", { class: "progress", hidden: "" });
  const status = make("p", { role: "status" });
  box.append(label, bar);
  form.append(box, status);

  const busy = (is) => {
    box.hidden = !is;
    form.querySelectorAll("button").forEach((one) => (one.disabled = is));
    form.setAttribute("aria-busy", is);
  };
  const refused = (notice) => {
    busy(false);
    status.textContent = "";
    document.querySelectorAll("[data-notice=problem]").forEach((one) => one.remove());
    notice.tabIndex = -1;
    document.querySelector("h1").after(notice);
    notice.focus();
  };
  const failed = (...lines) => {
    const notice = make("div", { class: "notice bad", role: "alert", "data-notice": "problem" });
    notice.append(make("strong", {}, texts.failed), ...lines.map((line) => make("p", {}, line)));
    refused(notice);
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const request = new XMLHttpRequest();
    const answers = new FormData(form);
    if (event.submitter?.name) answers.append(event.submitter.name, event.submitter.value);
    bar.value = 0;
    busy(true);
    status.textContent = texts.uploading;
    request.upload.onprogress = ({ loaded, total }) => (bar.value = loaded / total);
    request.upload.onload = () => {
      bar.removeAttribute("value");
      status.textContent = label.textContent = texts.checking;
    };
    request.onerror = () => failed(texts.broken);
    request.onload = () => {
      if (request.status < 400) {
        location.assign(request.responseURL);
        return;
      }
      const page = new DOMParser().parseFromString(request.responseText, "text/html");
      const notice = page.querySelector("[data-notice=problem]");
      if (notice) refused(document.adoptNode(notice));
      else failed(texts.broken, request.responseText.slice(0, 500));
    };
    label.textContent = texts.uploading;
    request.open("POST", form.action);
    request.send(answers);
  });
  addEventListener("pageshow", (event) => event.persisted && busy(false)); // the person has come back to the page
}

// The progress of a job that the desk tells; the page is loaded again when it has become another one.
function follow(box) {
  const label = box.querySelector("label");
  const bar = box.querySelector("progress");
  let source = null;

  const listen = () => {
    source = new EventSource(box.dataset.events);
    source.addEventListener("progress", (event) => {
      const news = JSON.parse(event.data);
      label.textContent = news.label;
      if (news.total) {
        bar.max = news.total;
        bar.value = news.done;
      } else bar.removeAttribute("value");
    });
    source.addEventListener("turn", () => {
      source.close();
      location.reload();
    });
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), LOOK_AGAIN);
    });
  };
  // A browser opens few connections to one address, so only a page that is seen keeps one.
  document.addEventListener("visibilitychange", () => {
    source?.close();
    if (!document.hidden) listen();
  });
  if (!document.hidden) listen();
}

document.querySelectorAll("input[data-slides]").forEach(slider);
document.querySelectorAll("form[data-preview]").forEach(preview);
document.querySelectorAll("input[data-drop]").forEach(drop);
document.querySelectorAll("form[data-uploading]").forEach(upload);
document.querySelectorAll("[data-events]").forEach(follow);
