// Marks that the chart library has no series type for, registered by name so
// that the option tree stays plain JSON and is the same in a browser and in the
// static renderer. Called with the library as its argument.
(function (echarts) {
  // illmError: one vertical error bar. Datum: [x, low, high, slot, slots, width];
  // slot of slots is the bar's place inside a category (0 of 1: the middle).
  echarts.registerCustomSeries('illmError', function (params, api) {
    var slots = api.value(4), shift = 0;
    if (slots > 1) {
      var band = api.size([1, 0])[0] * api.value(5);
      shift = (api.value(3) - (slots - 1) / 2) * band / slots;
    }
    var low = api.coord([api.value(0), api.value(1)]);
    var high = api.coord([api.value(0), api.value(2)]);
    var x = low[0] + shift, cap = 4;
    var box = params.coordSys, bottom = box.y + box.height;
    if (x < box.x - 1 || x > box.x + box.width + 1) return null;
    var top = Math.max(high[1], box.y), foot = Math.min(low[1], bottom);
    if (!(foot > top)) return null;
    var style = { stroke: api.visual('color'), lineWidth: 1.5, fill: 'none' };
    var lines = [[x, top, x, foot]];
    if (top === high[1]) lines.push([x - cap, top, x + cap, top]);
    if (foot === low[1]) lines.push([x - cap, foot, x + cap, foot]);
    return {
      type: 'group',
      children: lines.map(function (l) {
        return { type: 'line', silent: true, shape: { x1: l[0], y1: l[1], x2: l[2], y2: l[3] }, style: style };
      })
    };
  });

  // illmBin: one histogram bin. Datum: [left edge, right edge, height].
  echarts.registerCustomSeries('illmBin', function (params, api) {
    var box = params.coordSys, bottom = box.y + box.height;
    var left = api.coord([api.value(0), api.value(2)]);
    var right = api.coord([api.value(1), api.value(2)]);
    var x0 = Math.max(left[0], box.x), x1 = Math.min(right[0], box.x + box.width);
    var y = Math.max(left[1], box.y);
    if (!(x1 > x0) || !(y < bottom)) return null;
    var color = api.visual('color');
    return {
      type: 'rect',
      shape: { x: x0, y: y, width: Math.max(x1 - x0 - (x1 - x0 > 6 ? 1 : 0), 0.5), height: bottom - y },
      style: { fill: color, opacity: 0.55 },
      emphasis: { style: { opacity: 0.9 } }
    };
  });
})
