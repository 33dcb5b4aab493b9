package analysis

import (
	"fmt"
	"math"
	"strings"

	"github.com/headgate/headgate/analysis/evidence"
)

// The story of the picture: a service has 100 requests per second, and the canary gets
// 10% of them. At minute 5, both versions have a burst of errors for a minute. From minute 10 on, the
// bad canary fails 1 more request in 100. Until then, both canaries are the same.
var (
	pictured = Service{Kind: Burst, Traffic: 100, Base: 0.001}
	faulty   = Service{Kind: Burst, Traffic: 100, Base: 0.001, Rise: 0.01, After: 10 * inMinute}
)

const (
	pictureLooks = 18 * inMinute
	pictureBurst = 5 * inMinute
	shareLooks   = 6 // the share of errors is drawn over 30 s
)

// course is what happened to one canary.
type course struct {
	looks    []evidence.Look
	evidence []float64
	failed   int // the look of the Fail, 0: none
}

func (s Service) course(seed uint64) course {
	stream := s.stream(seed, 0)
	stream.burst = pictureBurst
	t := standard.begin(stream.history()).(*test)
	c := course{evidence: []float64{1}}
	for look := 1; look <= pictureLooks && c.failed == 0; look++ {
		k := stream.next(usual)
		c.looks = append(c.looks, k)
		if t.add(k) {
			c.failed = look
		}
		c.evidence = append(c.evidence, t.evidence.Verdict(t.rule).Equal.Evidence)
	}
	return c
}

// shares are the shares of errors of a track, in percent, each over the last 30 s.
func (c course) shares(track func(evidence.Look) evidence.Counts) []float64 {
	var shares []float64
	for end := shareLooks; end <= len(c.looks); end += shareLooks {
		var sum evidence.Counts
		for _, k := range c.looks[end-shareLooks : end] {
			sum.Requests += track(k).Requests
			sum.Errors += track(k).Errors
		}
		shares = append(shares, 100*sum.Share())
	}
	return shares
}

func stableOf(k evidence.Look) evidence.Counts {
	return evidence.Counts{Requests: k.StableRequests, Errors: k.StableErrors}
}

func canaryOf(k evidence.Look) evidence.Counts {
	return evidence.Counts{Requests: k.CanaryRequests, Errors: k.CanaryErrors}
}

const (
	stableColour = "#6b7280"
	goodColour   = "#2e8b57"
	badColour    = "#c0392b"
)

// Picture draws how evidence moves, as SVG.
func Picture(seed uint64) []byte {
	good, bad := pictured.course(seed), faulty.course(seed)
	d := &drawing{}
	d.open(880, 520)

	d.panel(panel{top: 50, height: 150, low: 0, high: 5, title: "errors in 30 s, %",
		ticks: map[float64]string{0: "0", 1: "1", 2: "2", 3: "3", 4: "4", 5: "5"}})
	d.curve(good.shares(stableOf), shareLooks, shareLooks, stableColour)
	d.curve(good.shares(canaryOf), shareLooks, shareLooks, goodColour)
	d.curve(bad.shares(canaryOf)[faulty.After/shareLooks-1:], faulty.After, shareLooks, badColour)
	d.note(pictureBurst+inMinute+2, 4.5, "20% of all requests fail, in both versions", stableColour)
	d.note(faulty.After, 2.5, "from here on, the bad canary fails 1 more in 100", badColour)

	d.panel(panel{top: 250, height: 200, low: -1, high: 3, title: "evidence that the canary is worse than stable",
		ticks: map[float64]string{-1: "0.1", 0: "1", 1: "10", 2: "100", 3: "1000"}})
	d.dashed(2)
	d.curve(logs(good.evidence), 0, 1, goodColour)
	d.curve(logs(bad.evidence)[faulty.After:], faulty.After, 1, badColour)
	d.note(0, 2.2, "100: a healthy canary gets here in at most 1 of 100 rollouts", "#333333")
	if bad.failed > 0 {
		after := (bad.failed - faulty.After) * lookSeconds
		d.note(bad.failed, 1.2, fmt.Sprintf("rolled back after %d s", after), badColour)
	}
	d.legend(500)
	d.WriteString("</svg>\n")
	return []byte(d.String())
}

func logs(values []float64) []float64 {
	logs := make([]float64, len(values))
	for i, v := range values {
		logs[i] = math.Log10(v)
	}
	return logs
}

// drawing is an SVG in the making. Points are given in looks and in the values of the last
// panel.
type drawing struct {
	strings.Builder
	in panel
}

type panel struct {
	top, height float64
	low, high   float64
	title       string
	ticks       map[float64]string
}

const left, width = 70.0, 780.0

func (d *drawing) open(width, height int) {
	fmt.Fprintf(d, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n", width, height)
	fmt.Fprintf(d, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, height)
	fmt.Fprintf(d, `<text x="%g" y="22" font-size="15">A healthy and a bad canary with 10%% of 100 requests per second</text>`+"\n", left)
}

func x(look int) float64 { return left + width*float64(look)/pictureLooks }

func (d *drawing) y(value float64) float64 {
	p := d.in
	value = min(max(value, p.low), p.high)
	return p.top + p.height*(p.high-value)/(p.high-p.low)
}

// panel begins the next panel: a frame, a grid and its labels.
func (d *drawing) panel(p panel) {
	d.in = p
	fmt.Fprintf(d, `<text x="%g" y="%g">%s</text>`+"\n", left, p.top-8, p.title)
	for value := p.low; value <= p.high; value++ {
		d.line(left, d.y(value), left+width, d.y(value), "#e4e6ea", "")
		d.text(left-8, d.y(value)+4, p.ticks[value], "#333333", "end")
	}
	for look := 0; look <= pictureLooks; look += 2 * inMinute {
		d.line(x(look), p.top, x(look), p.top+p.height, "#e4e6ea", "")
		d.text(x(look), p.top+p.height+18, fmt.Sprintf("%d min", look/inMinute), "#333333", "middle")
	}
}

func (d *drawing) dashed(value float64) {
	d.line(left, d.y(value), left+width, d.y(value), "#333333", "6 4")
}

func (d *drawing) line(x1, y1, x2, y2 float64, colour, dashes string) {
	fmt.Fprintf(d, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-dasharray="%s"/>`+"\n", x1, y1, x2, y2, colour, dashes)
}

func (d *drawing) text(x, y float64, text, colour, anchor string) {
	fmt.Fprintf(d, `<text x="%.1f" y="%.1f" fill="%s" text-anchor="%s">%s</text>`+"\n", x, y, colour, anchor, text)
}

// note writes beside a point.
func (d *drawing) note(look int, value float64, text, colour string) {
	d.text(x(look)+6, d.y(value), text, colour, "start")
}

// curve draws values from a look on, with so many looks between two of them.
func (d *drawing) curve(values []float64, from, every int, colour string) {
	points := make([]string, len(values))
	for i, v := range values {
		points[i] = fmt.Sprintf("%.1f,%.1f", x(from+i*every), d.y(v))
	}
	fmt.Fprintf(d, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(points, " "), colour)
}

func (d *drawing) legend(y float64) {
	at := left
	for _, entry := range []struct{ text, colour string }{
		{"stable", stableColour}, {"healthy canary", goodColour}, {"bad canary", badColour},
	} {
		d.line(at, y-4, at+24, y-4, entry.colour, "")
		d.text(at+30, y, entry.text, "#333333", "start")
		at += 160
	}
}
