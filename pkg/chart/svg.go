package chart

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/dop251/goja"
)

//go:embed assets/echarts/echarts.min.js
var library string

//go:embed assets/marks.js
var marks string

// Library is the chart library's script, for pages that want to hold it once.
func Library() string { return library }

// renderer is one JavaScript machine with the library loaded. Loading takes most
// of a second, so a process keeps one; goja machines are not safe for concurrent
// use, hence the lock.
var renderer struct {
	sync.Mutex
	draw goja.Callable
	vm   *goja.Runtime
	err  error
}

const drawScript = `(function (text, theme, width, height) {
  var chart = echarts.init(null, JSON.parse(theme), {renderer: 'svg', ssr: true, width: width, height: height});
  try {
    chart.setOption(JSON.parse(text));
    return chart.renderToSVGString();
  } finally { chart.dispose(); }
})`

func loadRenderer() error {
	if renderer.draw != nil || renderer.err != nil {
		return renderer.err
	}
	vm := goja.New()
	load := func(name, source string) (goja.Value, error) {
		program, err := goja.Compile(name, source, false)
		if err != nil {
			return nil, err
		}
		return vm.RunProgram(program)
	}
	run := func() error {
		// One drawing is made in one call: nothing that waits is ever run.
		if _, err := load("timers.js", "var setTimeout = function () { return 0 }, clearTimeout = function () {};"); err != nil {
			return err
		}
		if _, err := load("echarts.min.js", library); err != nil {
			return err
		}
		if _, err := load("marks.js", strings.TrimSpace(marks)+"(echarts)"); err != nil {
			return err
		}
		v, err := load("draw.js", drawScript)
		if err != nil {
			return err
		}
		draw, ok := goja.AssertFunction(v)
		if !ok {
			return fmt.Errorf("the drawing script is no function")
		}
		renderer.vm, renderer.draw = vm, draw
		return nil
	}
	if err := run(); err != nil {
		renderer.err = fmt.Errorf("chart: load the static renderer: %w", err)
	}
	return renderer.err
}

// Preload loads the static renderer, so that the first chart does not wait for
// it. It may run beside other work.
func Preload() {
	renderer.Lock()
	defer renderer.Unlock()
	_ = loadRenderer() // a failure is kept and reported by the first Render
}

// svg draws the option tree without a browser.
func svg(options []byte, t theme, width, height int) (string, error) {
	renderer.Lock()
	defer renderer.Unlock()
	if err := loadRenderer(); err != nil {
		return "", err
	}
	look, err := json.Marshal(t.tree())
	if err != nil {
		return "", err
	}
	vm := renderer.vm
	v, err := renderer.draw(goja.Undefined(), vm.ToValue(string(options)), vm.ToValue(string(look)), vm.ToValue(width), vm.ToValue(height))
	if err != nil {
		return "", fmt.Errorf("chart: draw the static picture: %w", err)
	}
	s := v.String()
	if !strings.HasPrefix(s, "<svg") {
		return "", fmt.Errorf("chart: draw the static picture: the library returned %.40q, want an svg element", s)
	}
	s = hoverClass.ReplaceAllString(s, "")
	if at := strings.Index(s, "<style ><![CDATA["); at >= 0 {
		if end := strings.Index(s[at:], "</style>"); end >= 0 {
			s = s[:at] + s[at+end+len("</style>"):]
		}
	}
	return dressSVG(clipName.ReplaceAllString(s, pictureID(options)+"-"), t), nil
}

// What makes two drawings of one chart differ: the library numbers its elements
// through the whole process. Hover styles, of no use in a picture, are removed;
// the names of clip paths are made of the content, which also keeps two pictures
// apart that one page holds inline.
var (
	hoverClass = regexp.MustCompile(` (class="zr\d+-cls-\d+"|pointer-events="visible")`)
	clipName   = regexp.MustCompile(`\bzr\d+-`)
)

// pictureID names a picture by its content; ids start with a letter.
func pictureID(options []byte) string {
	sum := sha256.Sum256(options)
	return "p" + hex.EncodeToString(sum[:4])
}

// dressSVG puts the page colour behind the drawing and lets a dark viewer swap
// the greys of the light theme for those of the dark one.
func dressSVG(s string, t theme) string {
	end := strings.IndexByte(s, '>')
	if end < 0 {
		return s
	}
	var css strings.Builder
	if t == light {
		css.WriteString("<style>@media (prefers-color-scheme: dark){.illm-page{fill:" + dark.Background + "}")
		for _, pair := range [][2]string{{light.Text, dark.Text}, {light.Muted, dark.Muted}, {light.Line, dark.Line}, {light.Split, dark.Split}} {
			css.WriteString("[fill=\"" + pair[0] + "\"]{fill:" + pair[1] + "}[stroke=\"" + pair[0] + "\"]{stroke:" + pair[1] + "}")
		}
		css.WriteString("}</style>")
	}
	page := `<rect class="illm-page" width="100%" height="100%" rx="6" fill="` + t.Background + `"/>`
	return s[:end+1] + css.String() + page + s[end+1:]
}

// tree is the theme as the library reads it.
func (t theme) tree() node {
	axis := node{
		"axisLine":      node{"show": true, "lineStyle": node{"color": t.Line}},
		"axisTick":      node{"lineStyle": node{"color": t.Line}},
		"axisLabel":     node{"color": t.Muted, "fontSize": 12},
		"splitLine":     node{"lineStyle": node{"color": t.Split}},
		"nameTextStyle": node{"color": t.Text},
	}
	return node{
		"textStyle":    node{"fontFamily": fonts, "color": t.Text},
		"title":        node{"textStyle": node{"color": t.Text}, "subtextStyle": node{"color": t.Muted}},
		"legend":       node{"textStyle": node{"color": t.Text}},
		"tooltip":      node{"backgroundColor": t.TooltipBack, "borderColor": t.TooltipEdge, "textStyle": node{"color": t.Text}},
		"valueAxis":    axis,
		"logAxis":      axis,
		"categoryAxis": axis,
		"markLine":     node{"label": node{"color": t.Muted}},
		"scatter":      node{"label": node{"color": t.Text}},
		"toolbox":      node{"iconStyle": node{"borderColor": t.Muted}},
	}
}

// fonts has no quoted name: the library puts it unescaped into an attribute.
const fonts = "system-ui, -apple-system, Roboto, Arial, sans-serif"
