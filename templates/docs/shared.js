  // --- what the page of a host and the index over several hosts have in common ----------------------------------------
  const byId = (id) => document.getElementById(id);
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  };
  const count = (number) => number.toLocaleString("en");
  const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const transportOf = (protocol) => (protocol === "udp" ? "udp" : "tcp");
  // The lines of JSON that the page brings along.
  const readData = () => JSON.parse("[" + byId("data").textContent.trim().split("\n").join(",") + "]");

  // --- search ---------------------------------------------------------------------------------------------------------
  // A row of a table has `port` (null: none), `inner` (the container's port), `protocol`, and two texts in lower case:
  // `named`, by which people know the service, and `words`, all that is said of it.
  const testOf = (token) => {
    const range = token.match(/^(\d+)[-–](\d+)$/);
    if (range) return (row) => row.port !== null && Number(range[1]) <= row.port && row.port <= Number(range[2]);
    const endpoint = token.match(/^:?(\d+)\/(tcp|udp|http)$/);   // 53/udp, as the command line writes it
    if (endpoint) {
      const [port, protocol] = [Number(endpoint[1]), endpoint[2]];
      return (row) => row.port === port && (row.protocol === protocol || transportOf(row.protocol) === protocol);
    }
    const exact = token.match(/^:(\d+)$/);                         // :53, on the host or in the container
    if (exact) return (row) => row.port === Number(exact[1]) || row.inner === Number(exact[1]);
    if (/^\d+$/.test(token)) {
      const word = new RegExp(`(^|[^0-9])${token}([^0-9]|$)`);
      return (row) => (row.port !== null && String(row.port).startsWith(token)) || word.test(row.named);
    }
    return (row) => row.words.includes(token);
  };
  const searched = (query) => {
    const tests = query.toLowerCase().split(/\s+/).filter(Boolean).map(testOf);
    return (row) => tests.every((test) => test(row));
  };

  // --- the state of a page in its address -----------------------------------------------------------------------------
  // `#q=53%2Fudp&sort=-service` is a state; a fragment without `=` is a link to one service. What is read here is only ever
  // compared, or shown as text.
  const stateIn = (fragment) => (fragment.includes("=") ? new URLSearchParams(fragment) : null);
  const fragmentOf = (state) => String(new URLSearchParams(Object.entries(state).filter(([, value]) => value)));
  const decoded = (fragment) => {
    try { return decodeURIComponent(fragment); } catch { return fragment; }
  };
  // Each step gets an entry of its own for the Back button; the letters of one word share one.
  let typing = false;
  const remember = (fragment, byTyping = false) => {
    if (fragment === location.hash.slice(1)) return;
    const address = fragment ? `#${fragment}` : location.pathname + location.search;
    if (byTyping && typing) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
    typing = byTyping;
  };

  // `/` leads to the search from everywhere; links within the page leave the state in the address alone.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) return;
    event.preventDefault();
    byId("search").focus();
  });
  for (const jump of document.querySelectorAll("a[data-jump]")) {
    jump.addEventListener("click", (event) => {
      event.preventDefault();
      const place = byId(jump.dataset.jump);
      place.focus({ preventScroll: true });
      place.scrollIntoView({ block: "start" });
    });
  }
