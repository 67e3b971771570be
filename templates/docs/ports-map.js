  const MOST_CELLS = 4000;   // with more cells than this the map is a drawing: each cell would be an element
  const SHORT = 12;          // a project of at most so many ports has no map of its own

  // --- what the cells mean ------------------------------------------------------------------------------------------------
  const MEANINGS = [[HELD, "held"], [PLANNED, "planned service"], [RETIRED, "retired, held back"], [FREE, "free"], [GROUP, "free, for a group"], [RESERVED, "reserved"], [CONFLICT, "held twice"]];
  for (const [kind, words] of MEANINGS) {
    const used = projects.some((project) => project.counts[kind]);
    if (used) byId("legend").append(make("li", {}, make("span", { class: `cell ${KINDS[kind]}`, "aria-hidden": "true" }), words));
  }

  // --- what a port is, in words ---------------------------------------------------------------------------------------
  const describe = (port) => {
    const entries = servicesAt(port);
    const kind = state[port];
    if (entries.length) {
      const worded = ({ name, access }) => (access ? `${name} (${access})` : name);
      const more = entries.map((service) => {
        const here = service.rows.filter((row) => holds(row, port));
        const open = service.status === "retired" ? null : `open to ${[...new Set(here.map((row) => row.reach))].join(", ")}`;
        const words = [service.status !== "active" ? service.status : null, service.via, open, ...here.flatMap((row) => row.routes).map(worded)];
        return words.filter(Boolean).join(" · ");
      });
      return { title: (isConflict(port) ? "Held twice: " : "") + entries.map((service) => service.title).join(", "), more, status: entries[0].status };
    }
    const project = owner.get(port);
    const group = project && groupOf[port] >= 0 ? project.groups[groupOf[port]] : null;
    if (kind === FREE) return { title: "Free", more: [project.title] };
    if (kind === GROUP) return { title: `Free, for ${group.name}`, more: [group.purpose || project.title] };
    const reason = within(host.reserved, port) ? "on this host" : project && within(project.reserved, port) ? "in this project" : port < 1024 ? "privileged" : "claimed more than once";
    return { title: "Reserved", more: [reason] };
  };
  const spoken = (port) => {
    const { title, more } = describe(port);
    return `${port}: ${title}, ${more.join("; ")}`;
  };

  const tip = byId("tip");
  const showTip = (port, box) => {
    const { title, more } = describe(port);
    tip.replaceChildren(make("span", { class: "port" }, `${port}`), make("b", {}, title), ...more.map((text) => make("p", {}, text)));
    tip.hidden = false;
    const width = tip.offsetWidth;
    const left = Math.max(8, Math.min(box.left + box.width / 2 - width / 2, document.documentElement.clientWidth - width - 8));
    const above = box.top - tip.offsetHeight - 8;
    tip.style.left = `${left + scrollX}px`;
    tip.style.top = `${(above > 4 ? above : box.bottom + 8) + scrollY}px`;
  };
  const hideTip = () => { tip.hidden = true; };
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });

  // --- map ------------------------------------------------------------------------------------------------------------
  // Rows begin at round numbers, so that a port is easy to find; a range that fits into one row begins at its first port.
  const rowsOf = (project, columns) => {
    const low = Math.min(...project.ports.map(([first]) => first));
    const high = Math.max(...project.ports.map(([, last]) => last));
    const base = high - low < columns ? low : Math.floor(low / columns) * columns;
    const found = new Set();
    for (const [first, last] of project.ports) {
      for (let row = Math.floor((first - base) / columns); row <= Math.floor((last - base) / columns); row++) found.add(row);
    }
    return { low, high, rows: [...found].sort((a, b) => a - b).map((row) => base + row * columns) };
  };
  // The port that a key leads to, within the project; null if there is none in that direction.
  const target = (project, layout, port, key, ctrl) => {
    const owned = (number) => owns(project, number);
    const step = (from, by) => {
      for (let next = from + by; next >= layout.low && next <= layout.high; next += by) if (owned(next)) return next;
      return null;
    };
    const taken = (from, by) => {
      for (let next = step(from, by); next !== null; next = step(next, by)) if (holders.has(next)) return next;
      return null;
    };
    const row = layout.rows.findLast((first) => first <= port);
    const edge = (from, by) => (owned(from) ? from : step(from, by));
    switch (key) {
      case "ArrowLeft": return step(port, -1);
      case "ArrowRight": return step(port, 1);
      case "ArrowUp": return step(port, -layout.columns);
      case "ArrowDown": return step(port, layout.columns);
      case "Home": return edge(ctrl ? layout.low : Math.max(row, layout.low), 1);
      case "End": return edge(ctrl ? layout.high : Math.min(row + layout.columns - 1, layout.high), -1);
      case "PageUp": return taken(port, -1);
      case "PageDown": return taken(port, 1);
      default: return undefined;
    }
  };
  const firstOf = (project) => {
    const held = project.numbers.find((port) => holders.has(port));
    return held === undefined ? project.numbers[0] : held;
  };
  const onKey = (map, event) => {
    if (event.altKey || event.metaKey) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      const entries = holders.get(map.port);
      if (entries) show(entries[0]);
      return;
    }
    const next = map.target(event.key, event.ctrlKey);
    if (next === undefined) return;
    event.preventDefault();
    if (next !== null) map.move(next);
  };

  // A project of a few ports is a line of the list; the others have a card with a map.
  const isShort = (project) => project.size > 0 && project.size <= SHORT && !project.groups.length;
  const short = projects.filter(isShort);
  const drawn = projects.reduce((cells, project) => cells + (isShort(project) ? 0 : project.size), 0) > MOST_CELLS;
  const choose = (project, width) => {
    const label = String(Math.max(...project.ports.map(([, last]) => last))).length * 8 + 10;
    const room = width - label;
    if (drawn) {
      // Cells large enough to tell apart; smaller ones if the drawing would be taller than a screen.
      const fitting = [10, 20, 50, 100, 200, 250, 500].filter((number) => room / number >= 2.5);
      const pitchOf = (number) => (room / number >= 6 ? Math.min(14, Math.floor(room / number)) : Math.floor((room / number) * 4) / 4);
      const fine = fitting.slice(Math.max(0, fitting.findLastIndex((number) => room / number >= 8)));
      const columns = fine.find((number) => (project.size / number) * pitchOf(number) <= 640) || fine[fine.length - 1] || 10;
      const pitch = Math.max(2, pitchOf(columns));
      return { label, columns, pitch, gap: pitch >= 4 ? 1 : 0, ten: 0 };
    }
    // The longest row whose cells are still large enough for a pointer, or on a phone for a thumb.
    const columns = [100, 50, 25, 20, 10].find((number) => room / number >= (room < 500 ? 12 : 16)) || 10;
    const ten = columns > 10 ? 5 : 0;
    const fit = (room - ten * (Math.ceil(columns / 10) - 1)) / columns;
    return { label, columns, ten, gap: 2, pitch: Math.min(32, Math.floor(fit * 4) / 4) };
  };

  // What the cells of a grid do, for keyboard and pointer: one of them is a tab stop, arrows lead to the others.
  const listen = (map, grid) => {
    map.move = (port) => map.cells.get(port).focus();
    const portAt = (event) => {
      const cell = event.target.closest("[data-port]");
      return cell ? Number(cell.dataset.port) : null;
    };
    grid.addEventListener("keydown", (event) => onKey(map, event));
    grid.addEventListener("focusin", (event) => {
      const port = portAt(event);
      if (port === null) return;
      // The next Tab back into the grid comes to this cell again.
      map.cells.get(map.port).tabIndex = -1;
      map.port = port;
      event.target.tabIndex = 0;
      if (event.target.matches(":focus-visible")) showTip(port, event.target.getBoundingClientRect());
    });
    grid.addEventListener("focusout", hideTip);
    grid.addEventListener("pointerover", (event) => {
      const port = portAt(event);
      if (port === null) hideTip();
      else showTip(port, map.cells.get(port).getBoundingClientRect());
    });
    grid.addEventListener("pointerleave", hideTip);
    grid.addEventListener("click", (event) => {
      const port = portAt(event);
      if (port !== null && holders.has(port)) show(holders.get(port)[0]);
    });
  };

  const buildGrid = (map) => {
    const { project, layout } = map;
    const grid = make("div", { class: "grid", role: "grid", "aria-label": `Ports of ${project.title}`, "aria-describedby": "map-keys" });
    grid.style.setProperty("--label", `${layout.label}px`);
    grid.style.setProperty("--size", `${layout.pitch - layout.gap}px`);
    grid.style.setProperty("--gap", `${layout.gap}px`);
    grid.style.setProperty("--ten", `${layout.ten}px`);
    map.cells = new Map();
    let before = null;
    for (const start of layout.rows) {
      if (before !== null && start > before + layout.columns) grid.append(make("p", { class: "skipped", "aria-hidden": "true" }, "⋮"));
      before = start;
      const row = make("div", { class: "row", role: "row" }, make("span", { class: "label", role: "rowheader" }, `${start}`));
      const end = Math.min(start + layout.columns - 1, layout.high);
      for (let port = start; port <= end; port++) {
        const ten = port > start && (port - start) % 10 === 0 ? " ten" : "";
        if (!owns(project, port)) {
          row.append(make("span", { class: `cell ${port > layout.low && owner.has(port) ? "foreign" : "void"}${ten}`, role: "presentation" }));
          continue;
        }
        const odd = groupOf[port] % 2 === 1 ? " odd" : "";
        const cell = make("div", { class: `cell ${KINDS[state[port]]}${odd}${ten}`, role: "gridcell", tabindex: port === map.port ? 0 : -1, "aria-label": spoken(port) });
        cell.dataset.port = port;
        map.cells.set(port, cell);
        row.append(cell);
      }
      grid.append(row);
    }
    listen(map, grid);
    map.pick = (ranges) => {
      grid.classList.toggle("pick", ranges !== null);
      for (const [port, cell] of map.cells) cell.classList.toggle("picked", ranges !== null && within(ranges, port));
    };
    return grid;
  };

  // The same map as one canvas. For the keyboard and for screen readers it is a slider whose value is the port.
  const buildPicture = (map) => {
    const { project, layout } = map;
    const { pitch, columns, gap, rows } = layout;
    const width = columns * pitch;
    const height = rows.length * pitch;
    const index = new Map(rows.map((start, row) => [start, row]));
    const canvas = make("canvas", { "aria-hidden": "true" });
    const cursor = make("div", { class: "cursor", hidden: "" });
    const stage = make("div", {
      class: "stage", tabindex: 0, role: "slider", "aria-roledescription": "port map", "aria-label": `Ports of ${project.title}`, "aria-describedby": "map-keys",
      "aria-valuemin": layout.low, "aria-valuemax": layout.high,
    }, canvas, cursor);
    stage.style.width = canvas.style.width = `${width}px`;
    stage.style.height = canvas.style.height = `${height}px`;
    const place = (port) => {
      const start = rows.findLast((first) => first <= port);
      return [(port - start) * pitch, index.get(start) * pitch];
    };
    map.paint = () => {
      const scale = Math.min(devicePixelRatio || 1, 2);
      canvas.width = width * scale;
      canvas.height = height * scale;
      const context = canvas.getContext("2d");
      const style = getComputedStyle(document.documentElement);
      const colour = (name) => style.getPropertyValue(`--${name}`).trim();
      const colours = ["", colour("free"), colour("group"), colour("accent"), colour("accent"), colour("retired"), colour("reserved"), colour("conflict")];
      const odd = colour("group-2");
      // Whole pixels of the screen, so that neighbouring cells neither overlap nor leave a line between them.
      const edge = (cells) => Math.round(cells * pitch * scale);
      const line = Math.round(gap * scale);
      context.lineWidth = scale;
      rows.forEach((start, row) => {
        const [top, height] = [edge(row), edge(row + 1) - edge(row) - line];
        for (let column = 0; column < columns; column++) {
          const port = start + column;
          if (port > layout.high || !owns(project, port)) continue;
          const kind = state[port];
          const [left, width] = [edge(column), edge(column + 1) - edge(column) - line];
          context.fillStyle = context.strokeStyle = kind === GROUP && groupOf[port] % 2 === 1 ? odd : colours[kind];
          context.globalAlpha = kind === PLANNED && !gap ? 0.5 : 1;
          if (kind === PLANNED && gap) context.strokeRect(left + scale / 2, top + scale / 2, width - scale, height - scale);
          else context.fillRect(left, top, width, height);
        }
      });
    };
    const set = (port) => {
      map.port = port;
      stage.setAttribute("aria-valuenow", port);
      stage.setAttribute("aria-valuetext", spoken(port));
    };
    const boxOf = (port) => {
      const [left, top] = place(port);
      const edge = stage.getBoundingClientRect();
      return new DOMRect(edge.left + left, edge.top + top, pitch, pitch);
    };
    const mark = (port) => {
      const [left, top] = place(port);
      Object.assign(cursor.style, { left: `${left - 3}px`, top: `${top - 3}px`, width: `${pitch - gap + 6}px`, height: `${pitch - gap + 6}px` });
      cursor.hidden = false;
    };
    map.move = (port) => {
      set(port);
      mark(port);
      cursor.scrollIntoView({ block: "nearest" });
      showTip(port, boxOf(port));
    };
    const portAt = (event) => {
      const edge = stage.getBoundingClientRect();
      const row = rows[Math.floor((event.clientY - edge.top) / pitch)];
      const column = Math.floor((event.clientX - edge.left) / pitch);
      const port = row === undefined || column < 0 || column >= columns ? null : row + column;
      return port !== null && owns(project, port) ? port : null;
    };
    stage.addEventListener("keydown", (event) => onKey(map, event));
    stage.addEventListener("focus", () => { if (stage.matches(":focus-visible")) map.move(map.port); });
    stage.addEventListener("blur", () => { cursor.hidden = true; hideTip(); });
    stage.addEventListener("pointermove", (event) => {
      const port = portAt(event);
      if (port === null) { cursor.hidden = true; hideTip(); return; }
      mark(port);
      stage.style.cursor = holders.has(port) ? "pointer" : "default";
      showTip(port, boxOf(port));
    });
    stage.addEventListener("pointerleave", () => { cursor.hidden = true; hideTip(); });
    stage.addEventListener("click", (event) => {
      const port = portAt(event);
      if (port === null) return;
      set(port);
      if (holders.has(port)) show(holders.get(port)[0]);
    });
    map.pick = () => {};
    set(map.port);
    map.paint();
    // Only as many labels as there is room for.
    const every = Math.max(1, Math.ceil(16 / pitch));
    const labels = make("div", { class: "labels", "aria-hidden": "true" });
    rows.forEach((start, row) => {
      if (row % every) return;
      const label = make("span", {}, `${start}`);
      label.style.top = `${row * pitch}px`;
      labels.append(label);
    });
    const picture = make("div", { class: "picture" }, labels, stage);
    picture.style.setProperty("--label", `${layout.label}px`);
    return picture;
  };

  const maps = [];
  const fillOf = (project) => {
    const fill = make("span", { class: "fill" });
    if (project.size) fill.append(make("b", {}, count(project.taken)), ` of ${count(project.size)} held · ${count(project.left)} free`);
    else fill.append(plural(services.filter((service) => service.project === project.project).length, "service"));
    const next = project.free.find(([, , transport]) => transport !== "udp");
    if (next) fill.append(", next ", make("span", {}, `${next[0]}`));
    return fill;
  };
  const aboutOf = (project, tag = "p") => {
    const shared = project.shared_by.length ? `shared by ${project.shared_by.join(", ")}` : null;
    const about = [project.purpose, shared, project.network].filter(Boolean).join(" · ");
    return about ? make(tag, { class: "about" }, about) : null;
  };
  const headOf = (project) => {
    const head = make("header", {}, make("h3", {}, project.title), make("span", { class: "range" }, spans(project.ports) || "no ports"));
    if (project.status !== "active") head.append(make("span", { class: `state ${project.status}` }, project.status));
    return head;
  };
  const gaugeOf = (project) => {
    const gauge = make("div", { class: "gauge", "aria-hidden": "true" });
    const share = (kinds, name) => {
      const part = kinds.reduce((all, kind) => all + project.counts[kind], 0) / project.size;
      if (!part) return;
      gauge.append(make("i", { class: name }));
      gauge.lastChild.style.width = `${part * 100}%`;
    };
    share([HELD, CONFLICT], "held");
    share([PLANNED], "planned");
    share([RETIRED, RESERVED], "closed");
    return gauge;
  };
  const groupsOf = (project, map) => {
    const list = make("ul", { class: "groups", "aria-label": `Groups of ${project.title}` });
    for (const group of project.groups) {
      const item = make("li", {}, make("b", {}, group.name), make("span", {}, `${count(size(group.free))} free`), make("span", { class: "mono" }, spans(group.ports)));
      if (group.purpose) item.append(make("span", { class: "why" }, group.purpose));
      item.addEventListener("pointerenter", () => map.pick(group.ports));
      item.addEventListener("pointerleave", () => map.pick(null));
      list.append(item);
    }
    return list;
  };
  const cardOf = (project) => {
    const card = make("article", { class: "card" }, headOf(project), fillOf(project), aboutOf(project));
    if (!project.size) return card;
    const room = make("div", { class: "map" });
    const map = { project, port: firstOf(project), room };
    map.target = (key, ctrl) => target(project, map.layout, map.port, key, ctrl);
    card.append(gaugeOf(project), room);
    if (project.groups.length) card.append(groupsOf(project, map));
    maps.push(map);
    return card;
  };

  // Projects of a few ports, a line each, every port with its number: one grid for all of them.
  const portsOf = (project) => {
    return project.numbers.filter((port) => owns(project, port)).sort((a, b) => a - b);
  };
  const targetInList = (map, key, ctrl) => {
    const lines = map.lines;
    const line = lines.findIndex((ports) => ports.includes(map.port));
    const place = lines[line].indexOf(map.port);
    const all = lines.flat();
    const at = all.indexOf(map.port);
    const beside = (by) => (lines[line + by] ? lines[line + by][Math.min(place, lines[line + by].length - 1)] : null);
    const ends = ctrl ? all : lines[line];
    switch (key) {
      case "ArrowLeft": return all[at - 1] ?? null;
      case "ArrowRight": return all[at + 1] ?? null;
      case "ArrowUp": return beside(-1);
      case "ArrowDown": return beside(1);
      case "Home": return ends[0];
      case "End": return ends[ends.length - 1];
      case "PageUp": return all.slice(0, at).findLast((port) => holders.has(port)) ?? null;
      case "PageDown": return all.slice(at + 1).find((port) => holders.has(port)) ?? null;
      default: return undefined;
    }
  };
  const listOf = (some) => {
    const lines = some.map(portsOf).filter((ports) => ports.length);
    const all = lines.flat();
    const map = { lines, cells: new Map(), port: all.find((port) => holders.has(port)) ?? all[0] };
    map.target = (key, ctrl) => targetInList(map, key, ctrl);
    const grid = make("div", { class: "list", role: "grid", "aria-label": "Ports of small ranges", "aria-describedby": "map-keys" });
    for (const project of some) {
      const status = project.status === "active" ? null : make("span", { class: `state ${project.status}` }, project.status);
      const row = make("div", { class: "line", role: "row" }, make("span", { class: "whose", role: "rowheader" }, make("b", {}, project.title), status, aboutOf(project, "span")));
      const cells = make("span", { class: "chips", role: "presentation" });
      for (const port of portsOf(project)) {
        const cell = make("span", { class: "chip", role: "gridcell", tabindex: port === map.port ? 0 : -1, "aria-label": spoken(port) },
          make("span", { class: `cell ${KINDS[state[port]]}`, "aria-hidden": "true" }), `${port}`);
        cell.dataset.port = port;
        map.cells.set(port, cell);
        cells.append(cell);
      }
      row.append(cells);
      grid.append(row);
    }
    listen(map, grid);
    return make("article", { class: "card small" }, make("header", {}, make("h3", {}, "Small ranges")), grid);
  };

  for (const project of projects) if (!isShort(project)) byId("cards").append(cardOf(project));
  if (short.length) byId("cards").append(listOf(short));

  const layOut = (map) => {
    const width = map.room.clientWidth;
    if (!width || width === map.width) return;
    map.width = width;
    const chosen = choose(map.project, width);
    map.layout = { ...chosen, ...rowsOf(map.project, chosen.columns) };
    const focused = map.room.contains(document.activeElement);
    map.room.replaceChildren(drawn ? buildPicture(map) : buildGrid(map));
    if (focused) map.room.querySelector("[tabindex='0']").focus();
  };
  maps.forEach(layOut);
  const watcher = new ResizeObserver((entries) => { for (const { target: room } of entries) layOut(maps.find((map) => map.room === room)); });
  for (const map of maps) watcher.observe(map.room);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (drawn) for (const map of maps) map.paint(); });

  // Ports of the host itself, which belong to no project.
  const outside = [...holders.keys()].filter((port) => !owner.has(port) && servicesAt(port).some((service) => service.project !== null)).sort((a, b) => a - b);
  if (host.nginx.ports.length || host.reserved.length || outside.length) {
    const card = make("article", { class: "card" }, make("header", {}, make("h3", {}, "The host itself")), make("p", { class: "about" }, "Ports of no project"));
    const facts = make("dl", { class: "facts" });
    if (host.nginx.ports.length) facts.append(make("dt", {}, "nginx"), make("dd", { class: "mono" }, host.nginx.ports.join(", ")));
    if (host.reserved.length) facts.append(make("dt", {}, "reserved"), make("dd", { class: "mono" }, spans(host.reserved, 20)));
    if (outside.length) facts.append(make("dt", {}, "outside their projects"), make("dd", { class: "mono" }, outside.map((port) => `${port} ${servicesAt(port)[0].name}`).join(", ")));
    card.append(facts);
    byId("cards").append(card);
  }
