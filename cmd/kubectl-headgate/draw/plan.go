package draw

import (
	"fmt"
	"strings"
	"time"

	"github.com/headgate/headgate/cmd/kubectl-headgate/plan"
	"github.com/headgate/headgate/rollout/spec"
)

// Plan draws p. It ends with a line break.
func Plan(p plan.Plan, l Look) string {
	d := &planPicture{picture{Look: l}, p}
	d.head()
	d.ladder()
	d.tests()
	return d.b.String()
}

type planPicture struct {
	picture
	plan plan.Plan
}

func (d *planPicture) head() {
	p := d.plan
	fmt.Fprintf(&d.b, "%s  %s  %s\n", d.paint(strong, p.Namespace+"/"+p.Name), p.Strategy, Count(int(p.Replicas), "replica"))
	takes := "at least " + span(p.Least)
	if p.Person {
		takes += ", and as long as a person takes"
	}
	d.row("Takes", takes+", besides the time in which pods start")
	d.row("Pods", fmt.Sprintf("up to %d more, %d in all", p.Extra, p.Extra+p.Replicas))
}

func span(seconds float64) string {
	if seconds == 0 {
		return "0s"
	}
	return Span(time.Duration(seconds * float64(time.Second)))
}

// ladder draws a line for each step. A narrow terminal has no bars.
func (d *planPicture) ladder() {
	width := min(30, d.width()-60)
	for i, s := range d.plan.Steps {
		word := ""
		if i == 0 {
			word = "Steps"
		}
		d.row(word, d.rung(s.At, s.Weight, s.Pods, width)+d.step(s))
	}
	last := d.plan.Steps[len(d.plan.Steps)-1]
	end, pods := "promotion by adoption", d.plan.Replicas
	if d.plan.Promotion == spec.PromotionRolling {
		end, pods = "promotion by rolling update", last.Pods
	}
	d.row("", d.rung(d.plan.Least, last.Weight, pods, width)+d.paint(good, end))
}

// rung is when, with which weight and how many pods.
func (d *planPicture) rung(at float64, weight int, pods int32, width int) string {
	text := fmt.Sprintf("%-7s %3d%% ", span(at), weight)
	if width >= 5 {
		text += d.bar(float64(weight)/100, width, canary) + " "
	}
	return text + fmt.Sprintf("%-8s ", Count(int(pods), "pod"))
}

func (d *planPicture) step(s plan.Step) string {
	text := s.Text
	switch s.Kind {
	case spec.Pause:
		text = d.paint(waits, "a person decides")
	case spec.RunAnalysis:
		text = "analysis"
	case spec.SetWeight:
		text = d.paint(canary, text) + s.Besides
	case spec.Wait, spec.SetScale, spec.MatchHeader, spec.MatchCookie, spec.RunJob:
	}
	if s.Added {
		text += d.paint(faint, " (added)")
	}
	if s.Judged {
		text += ", then a Pass"
	}
	return text
}

// maxRules is how many characters of an analysis are shown.
const maxRules = 160

// cut is text with at most so many characters.
func cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-3]) + "..."
	}
	return text
}

// tests says what the analysis needs.
func (d *planPicture) tests() {
	p := d.plan
	if p.Rules != "" {
		d.row("Analysis", cut(strings.Join(strings.Fields(p.Rules), " "), maxRules))
	}
	if p.NotEstimated != "" {
		d.row("", p.NotEstimated)
		return
	}
	d.row("", fmt.Sprintf("with %g requests in a second, %s of which fail at stable. How long it takes until a version with %s more is "+
		"found, in half of the rollouts and in 19 of 20:", p.Options.Requests, share(p.Options.Bad), share(p.Options.Fault)))
	for _, t := range p.Tests {
		if t.Faulty <= t.Allowed {
			d.row("", fmt.Sprintf("%s: %s of stable and %s of the canary are bad, and %s is allowed: it is not found",
				t.Metric, share(t.Bad), share(t.Faulty), share(t.Allowed)))
			continue
		}
		d.row("", fmt.Sprintf("%s (%s of stable and %s of the canary are bad, %s is allowed)",
			d.paint(strong, t.Metric), share(t.Bad), share(t.Faulty), share(t.Allowed)))
		for _, r := range t.Rungs {
			d.row("", d.needs(r))
		}
	}
}

func (d *planPicture) needs(r plan.Rung) string {
	text := fmt.Sprintf("%3d%%  %s", r.Weight, until(0))
	if r.Half > 0 {
		text = fmt.Sprintf("%3d%%  %s; %s", r.Weight, found(r.Half, r.HalfOfRequests), found(r.Most, r.MostOfRequests))
	}
	switch {
	case r.Person:
		return text + "; a person decides how long this weight stays"
	case r.Half == 0 || r.Half > r.Stays:
		text += d.paint(waits, fmt.Sprintf("; this weight stays for %s only", span(r.Stays)))
	default:
		text += fmt.Sprintf("; this weight stays for %s", span(r.Stays))
	}
	if r.Pass == 0 || r.Pass > r.Stays {
		text += d.paint(waits, fmt.Sprintf(", and then waits: the first Pass of a healthy version comes after %s", until(r.Pass)))
	}
	return text
}

func found(seconds float64, requests int64) string {
	if seconds == 0 {
		return until(0)
	}
	return fmt.Sprintf("%s, %d requests", span(seconds), requests)
}

func until(seconds float64) string {
	if seconds == 0 {
		return "more than " + Span(plan.Longest)
	}
	return span(seconds)
}

// share is a share in percent.
func share(s float64) string { return fmt.Sprintf("%.3g%%", s*100) }
