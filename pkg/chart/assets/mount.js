// Draws the charts of a page. The last line of each chart's output calls this
// function with its job {id, title, width, height, options, themes}; the library
// may come earlier, later, or never: until it is there the static picture stays.
(function (w, job) {
  var state = w.illmCharts || (w.illmCharts = { jobs: {} });
  state.jobs[job.id] = job;
  if (!state.draw) {
    var doc = w.document;

    // The page decides light or dark: the first opaque background above the
    // chart, else the system's preference.
    var isDark = function (el) {
      for (var e = el.parentElement; e; e = e.parentElement) {
        var m = /rgba?\(([\d.]+),\s*([\d.]+),\s*([\d.]+)(?:,\s*([\d.]+))?\)/.exec(w.getComputedStyle(e).backgroundColor);
        if (m && (m[4] === undefined || +m[4] > 0.5)) return 0.299 * m[1] + 0.587 * m[2] + 0.114 * m[3] < 128;
      }
      return !!(w.matchMedia && w.matchMedia('(prefers-color-scheme: dark)').matches);
    };

    // A page narrower than the chart: squeeze the panels sideways, the text keeps its size.
    var fit = function (j, width) {
      var o = JSON.parse(JSON.stringify(j.options)), f = width / j.width;
      if (f < 1) {
        o.grid.forEach(function (g) { g.left *= f; g.width *= f; });
        o.title.forEach(function (t) { t.left *= f; });
      }
      o.toolbox = {
        right: 10, top: 0, itemSize: 13, itemGap: 10,
        feature: {
          dataZoom: { brushStyle: { opacity: 0.2 }, title: { zoom: 'zoom', back: 'undo zoom' } },
          restore: { title: 'reset' },
          saveAsImage: { type: 'svg', name: 'chart', title: 'save as SVG' }
        }
      };
      return o;
    };

    // Below the picture: what was clicked, and the command that prints the whole record.
    var point = function (host, name, id) {
      var line = host.querySelector('.illm-record');
      if (!line) {
        line = doc.createElement('pre');
        line.className = 'illm-record';
        line.style.cssText = 'margin:4px 14px;font-size:90%;white-space:pre-wrap';
        host.insertBefore(line, host.querySelector('details'));
      }
      line.textContent = name + '\nillm study record ' + id;
    };

    var paint = function (host, j, force) {
      var live = host.querySelector('.illm-live'), room = host.clientWidth;
      if (!live || !room) return;
      var width = Math.round(Math.min(j.width, Math.max(room, 0.6 * j.width)));
      var look = isDark(host) ? 'dark' : 'light';
      if (host.illmChart && host.illmLook === look && host.illmWidth === width && !force) return;
      if (host.illmChart) { host.illmChart.dispose(); host.illmChart = null; }
      live.style.cssText = 'display:block;width:' + width + 'px;height:' + j.height + 'px;border-radius:6px;background:' + j.themes[look].page;
      try {
        var c = state.echarts.init(live, j.themes[look], { renderer: 'svg', width: width, height: j.height });
        c.setOption(fit(j, width));
        c.on('click', function (p) { // a point ends its name with its record
          var id = /\nrecord (\S+)$/.exec(p.name || '');
          if (id) point(host, p.name, id[1]);
        });
        host.illmChart = c; host.illmLook = look; host.illmWidth = width;
      } catch (err) { // the static picture stays
        live.style.display = 'none';
        host.setAttribute('data-illm-failed', String(err));
        return;
      }
      host.querySelector('.illm-static').style.display = 'none';
      if (!host.illmFolded) { // once: a reader who opens the table keeps it open
        host.illmFolded = true;
        var table = host.querySelector('details');
        if (table) table.removeAttribute('open');
      }
      host.setAttribute('data-illm-drawn', look);
    };

    state.draw = function () {
      var missing = false;
      Object.keys(state.jobs).forEach(function (id) {
        var hosts = doc.querySelectorAll('[data-illm="' + id + '"]');
        if (!hosts.length) missing = true;
        if (!state.echarts) return;
        Array.prototype.forEach.call(hosts, function (host) {
          if (!host.illmWatched && w.ResizeObserver) {
            host.illmWatched = true;
            new w.ResizeObserver(function () { paint(host, state.jobs[id]); }).observe(host);
          }
          paint(host, state.jobs[id]);
        });
      });
      return missing;
    };
    // An output may be drawn before it is attached to the page.
    state.soon = function () {
      var tries = 0, again = function () { if (state.draw() && ++tries < 50) w.setTimeout(again, 100); };
      again();
    };
    var recheck = function () { w.setTimeout(state.draw, 50); };
    if (w.MutationObserver) {
      [doc.documentElement, doc.body].forEach(function (e) {
        if (e) new w.MutationObserver(recheck).observe(e, { attributes: true });
      });
    }
    if (w.matchMedia) w.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', recheck);
  }
  state.soon();
})
