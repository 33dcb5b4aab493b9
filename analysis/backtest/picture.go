package backtest

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"strings"
	"time"
)

// The places of the picture, in pixels.
const (
	left, right  = 150.0, 790.0
	trafficTop   = 64.0
	trafficFoot  = 184.0
	lanesTop     = 226.0 // below the times
	laneHeight   = 22.0
	foundHeight  = 180.0
	pictureWidth = 880
)

const (
	ink, pale, grid = "#333333", "#6b7280", "#e4e6ea"
	trafficColour   = "#cbd5e1"
	alarmColour     = "#c0392b"
)

// curveColours tell the comparisons apart, also in print and for most who see few colours.
var curveColours = []string{"#1f6feb", "#d9822b", "#2e8b57", "#8e44ad", "#16a2b8", "#7f6a3a"}

// Picture draws the report as SVG: the traffic, when healthy rollouts were rolled back, and
// how soon a fault was found. title names what was tested.
func (r Report) Picture(title string) []byte {
	d := &drawing{report: r}
	lanes := r.lanes()
	foundTop := lanesTop + laneHeight*float64(len(lanes)) + 64
	height := foundTop + foundHeight + 76
	if len(r.Comparisons) == 0 {
		height = foundTop - 40
	}
	fmt.Fprintf(d, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %g" font-family="sans-serif" font-size="13">`+"\n",
		pictureWidth, height)
	fmt.Fprintf(d, `<rect width="%d" height="%g" fill="#ffffff"/>`+"\n", pictureWidth, height)
	d.text(left, 26, fmt.Sprintf("%s: %s of %s", title, plural(r.Rollouts, "rollout"), short(r.Length)), ink, `font-size="16"`)
	d.traffic()
	d.text(left, lanesTop-2, "healthy canaries that were rolled back", ink, "")
	for i, l := range lanes {
		d.lane(lanesTop+laneHeight*(float64(i)+0.8), l)
	}
	if len(r.Comparisons) > 0 {
		d.found(foundTop)
	}
	d.WriteString("</svg>\n")
	return []byte(d.String())
}

// lane is one row of marks: when the rollouts began that one metric rolled back.
type lane struct {
	name     string
	fired    []time.Time
	rollouts int
}

func (r Report) lanes() []lane {
	var lanes []lane
	for _, c := range r.Comparisons {
		lanes = append(lanes, lane{c.Metric, c.Healthy.Fired, c.Rollouts})
	}
	for _, c := range r.Conditions {
		if c.NotTested == "" {
			lanes = append(lanes, lane{c.Metric, c.Fired, c.Rollouts})
		}
	}
	return lanes
}

// drawing is an SVG in the making.
type drawing struct {
	strings.Builder
	report Report
}

func (d *drawing) text(x, y float64, text, colour, further string) {
	fmt.Fprintf(d, `<text x="%.1f" y="%.1f" fill="%s" %s>%s</text>`+"\n", x, y, colour, further, html.EscapeString(text))
}

func (d *drawing) line(x1, y1, x2, y2 float64, colour, further string) {
	fmt.Fprintf(d, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" %s/>`+"\n", x1, y1, x2, y2, colour, further)
}

const (
	atEnd    = `text-anchor="end"`
	inMiddle = `text-anchor="middle"`
)

// x is the place of a time.
func (d *drawing) x(at time.Time) float64 {
	all := max(d.report.To.Sub(d.report.From), time.Second)
	return left + (right-left)*float64(at.Sub(d.report.From))/float64(all)
}

// traffic draws how many requests stable had, as steps of one rollout each.
func (d *drawing) traffic() {
	most := 0.0
	for _, t := range d.report.Traffic {
		most = max(most, t.Requests)
	}
	top := roundUp(most)
	y := func(v float64) float64 { return trafficFoot - (trafficFoot-trafficTop)*v/top }
	if most > 0 {
		d.text(left, trafficTop-10, "requests of stable in a second", ink, "")
		for _, v := range []float64{0, top / 2, top} {
			d.line(left, y(v), right, y(v), grid, "")
			d.text(left-8, y(v)+4, number(v), pale, atEnd)
		}
	}
	d.WriteString(`<path fill="` + trafficColour + `" d="`) // one path: many would show seams
	for _, t := range d.report.Traffic {
		end := d.x(t.At.Add(time.Duration(d.report.Length * float64(time.Second))))
		fmt.Fprintf(d, "M%.1f %.0fV%.1fH%.1fV%.0fZ", d.x(t.At), trafficFoot, y(t.Requests), max(end, d.x(t.At)+1), trafficFoot)
	}
	d.WriteString("\"/>\n")
	d.line(left, trafficFoot, right, trafficFoot, pale, "")
	step, layout := timeSteps(d.report.To.Sub(d.report.From))
	for at := d.report.From.Truncate(step); !at.After(d.report.To); at = at.Add(step) {
		if !at.Before(d.report.From) {
			d.line(d.x(at), trafficFoot, d.x(at), trafficFoot+4, pale, "")
			d.text(d.x(at), trafficFoot+18, at.UTC().Format(layout), pale, inMiddle)
		}
	}
}

// timeSteps is the time between two labels, so that there are at most eight, and how they are
// written.
func timeSteps(all time.Duration) (step time.Duration, layout string) {
	const day = 24 * time.Hour
	for _, step := range []time.Duration{15 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour} {
		if all <= 8*step {
			return step, "15:04"
		}
	}
	step = day
	for all > 8*step {
		step += day
	}
	return step, "Jan 2"
}

// lane draws one row of marks.
func (d *drawing) lane(y float64, l lane) {
	d.text(left-8, y+4, clip(l.name), ink, atEnd)
	d.line(left, y, right, y, grid, "")
	for _, at := range l.fired {
		d.line(d.x(at), y-7, d.x(at), y+7, alarmColour, `stroke-width="2"`)
	}
	colour := pale
	if len(l.fired) > 0 {
		colour = alarmColour
	}
	d.text(right+8, y+4, fmt.Sprintf("%d of %d", len(l.fired), l.rollouts), colour, "")
}

// found draws for each comparison the share of the rollouts in which the fault was found
// until each minute.
func (d *drawing) found(top float64) {
	d.text(left, top-12, fmt.Sprintf("+%s of bad answers found until then, share of the rollouts", points(d.report.Inject)), ink, "")
	y := func(share float64) float64 { return top + foundHeight*(1-share) }
	x := func(minute float64) float64 { return left + (right-left)*minute*60/d.report.Length }
	for _, share := range []float64{0, 0.25, 0.5, 0.75, 1} {
		d.line(left, y(share), right, y(share), grid, "")
		d.text(left-8, y(share)+4, percent(share), pale, atEnd)
	}
	minutes := d.report.Length / 60
	for minute := 0.0; minute <= minutes; minute += max(1, math.Ceil(minutes/6)) {
		d.line(x(minute), top, x(minute), y(0)+4, grid, "")
		d.text(x(minute), y(0)+20, fmt.Sprintf("%g min", minute), pale, inMiddle)
	}
	at := left
	for i, c := range d.report.Comparisons {
		colour := curveColours[i%len(curveColours)]
		corners := []string{fmt.Sprintf("%.1f,%.1f", x(0), y(0))}
		for minute, share := range c.Injected.ByTime {
			corners = append(corners, fmt.Sprintf("%.1f,%.1f", x(float64(minute+1)), y(share)))
		}
		fmt.Fprintf(d, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(corners, " "), colour)
		d.line(at, y(0)+48, at+24, y(0)+48, colour, `stroke-width="2"`)
		name := clip(c.Metric) + " " + of(c.Injected.Found, c.Rollouts)
		d.text(at+30, y(0)+52, name, ink, "")
		at += 54 + 7*float64(len(name))
	}
}

// clip shortens a name that has no room. Names are ASCII.
func clip(name string) string {
	const room = 20
	if len(name) <= room {
		return name
	}
	return name[:room-1] + "…"
}

// roundUp is the next round number that is at least v: 51 is 60, and 0 is 1.
func roundUp(v float64) float64 {
	tens := math.Pow(10, math.Floor(math.Log10(cmp.Or(v, 1))))
	for _, step := range []float64{1, 1.5, 2, 3, 4, 6, 8} {
		if v <= step*tens {
			return step * tens
		}
	}
	return 10 * tens
}
