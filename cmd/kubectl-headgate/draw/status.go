package draw

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"charm.land/lipgloss/v2"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/rollout/status"
)

// margin is the width of the words on the left.
const margin = 10

// Status draws s. It ends with a line break.
func Status(s status.Status, l Look) string { return drawn(s, l, whole) }

func drawn(s status.Status, l Look, b brevity) string {
	p := &picture{Look: l, s: s, brevity: b}
	p.head()
	p.steps()
	p.traffic()
	p.versions()
	p.analysis()
	p.next()
	p.actions()
	p.events()
	p.notes()
	return p.b.String()
}

type picture struct {
	Look
	s       status.Status
	brevity brevity
	b       strings.Builder
}

// row writes a line with a word on the left. Further lines of text are below its beginning.
func (p *picture) row(word, text string) {
	indent := strings.Repeat(" ", margin)
	fmt.Fprintf(&p.b, "%s%s\n", p.paint(strong, fmt.Sprintf("%-*s", margin, word)), wrap(text, p.width(), indent))
}

// head says which Deployment it is, and what the manager says.
func (p *picture) head() {
	s := p.s
	title := p.paint(strong, s.Namespace+"/"+s.Name)
	if s.Strategy != "" {
		title += "  " + string(s.Strategy)
	}
	if s.Rollout != "" {
		title += "  rollout " + s.Rollout
	}
	fmt.Fprintln(&p.b, wrap(title+"  "+p.phase(), p.width(), ""))
	if s.Message == "" {
		return
	}
	text := s.Message
	if s.Since != nil {
		text += p.paint(faint, fmt.Sprintf(" (%s, %s ago)", s.Reason, Span(s.At.Sub(*s.Since))))
	}
	p.row("", text)
}

func (p *picture) phase() string {
	text, style := string(p.s.Phase), good
	switch p.s.Phase {
	case status.Progressing, status.Promoting, status.Pending:
		style = canary
	case status.Paused:
		style = waits
	case status.RolledBack:
		style = bad
	case status.Unmanaged, status.Idle:
	}
	if p.s.Problem && p.s.Phase != status.RolledBack {
		style = bad
	}
	return p.paint(style, p.sign(signs[p.s.Phase]+keptSpace, "")+text)
}

var signs = map[status.Phase]string{
	status.Unmanaged: "○", status.Idle: "✔", status.Pending: "◷", status.Progressing: "◐", status.Paused: "⏸",
	status.Promoting: "◕", status.RolledBack: "✖",
}

// steps draws the ladder, and how far the present wait is.
func (p *picture) steps() {
	if len(p.s.Steps) == 0 {
		return
	}
	var words []string
	for _, step := range p.s.Steps {
		switch step.Seen {
		case status.Done:
			words = append(words, p.paint(good, p.sign("✔"+keptSpace, "+")+step.Text))
		case status.Now:
			words = append(words, p.paint(canary, p.sign("▶"+keptSpace, ">")+step.Text))
		case status.Ahead:
			words = append(words, p.paint(faint, p.sign("·"+keptSpace, "")+step.Text))
		}
	}
	p.row("Steps", strings.Join(words, "  "))
	now := p.s.Step
	if now == nil {
		return
	}
	text := fmt.Sprintf("step %d of %d: %s, for %s", now.Number, now.Of, now.Text, Span(p.s.At.Sub(now.Since)))
	if now.Until != nil {
		left, whole := p.s.Left(*now.Until), now.Until.Sub(now.Since)
		share := 1 - left.Seconds()/max(1, whole.Seconds())
		text += fmt.Sprintf("  %s %s left", p.bar(share, 20, canary), Span(left))
	}
	p.row("", text)
}

// traffic draws the shares of both versions.
func (p *picture) traffic() {
	w := p.s.Weight
	if w == nil {
		return
	}
	written := w.Granted
	if w.Written != nil {
		written = *w.Written
	}
	width := min(40, p.width()-margin-30)
	p.row("Traffic", strings.TrimRight(fmt.Sprintf("stable %3d%% %s", 100-written, p.bar(float64(100-written)/100, width, good)), " "))
	text := strings.TrimRight(fmt.Sprintf("canary %3d%% %s", written, p.bar(float64(written)/100, width, canary)), " ")
	if w.Observed != nil {
		text += fmt.Sprintf(" %.1f%% observed", *w.Observed)
	}
	if w.Planned != written {
		text += fmt.Sprintf(" %d%% planned", w.Planned)
	}
	if w.Besides != "" {
		text += " and " + w.Besides
	}
	p.row("", text)
}

func (p *picture) versions() {
	p.version("Stable", p.s.Stable, good)
	if p.s.Canary != nil {
		p.version("Canary", *p.s.Canary, canary)
	}
}

func (p *picture) version(word string, v status.Version, style lipgloss.Style) {
	text := p.paint(style, strings.Join(v.Images, ", "))
	if v.Revision != "" {
		text += "  revision " + v.Revision
	}
	p.row(word, strings.TrimSpace(fmt.Sprintf("%s  %d of %d pods available", text, v.Available, v.Replicas)))
	pods := v.Pods
	if p.brevity >= noReadyPods {
		pods = slices.DeleteFunc(slices.Clone(pods), func(pod status.Pod) bool { return pod.Ready })
	}
	for i, pod := range pods {
		p.pod(pod, i == len(pods)-1)
	}
}

func (p *picture) pod(pod status.Pod, last bool) {
	mark, branch := p.paint(good, p.sign("✔", "ready")), p.sign("├─", "-")
	if last {
		branch = p.sign("└─", "-")
	}
	if !pod.Ready {
		mark = p.paint(bad, p.sign("✖", "not ready"))
	}
	text := fmt.Sprintf("%s %s %s %s", branch, pod.Name, mark, pod.State)
	switch {
	case pod.Restarts == 1:
		text += p.paint(waits, ", 1 restart")
	case pod.Restarts > 1:
		text += p.paint(waits, fmt.Sprintf(", %d restarts", pod.Restarts))
	}
	if pod.Started != nil {
		text += p.paint(faint, "  "+Span(p.s.At.Sub(*pod.Started)))
	}
	p.row("", text)
}

// analysis lists each metric with its numbers.
func (p *picture) analysis() {
	a := p.s.Analysis
	if a == nil {
		return
	}
	text := "nothing was measured yet"
	counted := slices.ContainsFunc(a.Metrics, func(m status.Metric) bool { return m.Verdict != "" })
	if counted {
		text = "no verdict at this weight yet"
	}
	if a.Last != "" {
		text = p.verdict(a.Last)
		if a.At != nil {
			text += fmt.Sprintf(" %s ago", Span(p.s.At.Sub(*a.At)))
		}
	}
	p.row("Analysis", text)
	if !counted && a.Text != "" {
		p.row("", p.s.WithoutRollout(a.Text))
	}
	for _, m := range a.Metrics {
		p.metric(m)
	}
}

func (p *picture) metric(m status.Metric) {
	text := m.Text
	if text == "" {
		text = m.Name
		if m.Wanted != "" {
			text += " wants " + m.Wanted
		}
	}
	p.row("", p.mark(m.Verdict)+text)
	if numbers := p.numbers(m); numbers != "" && p.brevity < noNumbers {
		p.row("", "  "+numbers)
	}
}

// numbers are the shares of a metric that is counted, how far the evidence against the canary has come, and the course of
// the canary's share.
func (p *picture) numbers(m status.Metric) string {
	if m.Canary == nil || m.Stable == nil {
		return ""
	}
	text := p.paint(faint, fmt.Sprintf("canary %s (%s to %s), stable %s",
		percent(m.Canary.Share), percent(m.Canary.Range.Low), percent(m.Canary.Range.High), percent(m.Stable.Share)))
	if m.Needs > 1 {
		reached := math.Log(max(1, m.Evidence)) / math.Log(m.Needs) // the evidence begins at 1 and is multiplied
		text += fmt.Sprintf("  %s %s %s", p.paint(faint, "evidence"), p.bar(reached, 10, bad),
			p.paint(faint, fmt.Sprintf("%.3g of %.3g", m.Evidence, m.Needs)))
	}
	if line := sparks(p.Past[m.Name]); line != "" && p.Signs {
		text += "  " + p.paint(canary, line)
	}
	return text
}

// percent is a share with three digits: 0.2%, 12.5%.
func percent(share float64) string { return fmt.Sprintf("%.3g%%", share*100) }

func (p *picture) mark(v rollout.Verdict) string {
	if v == "" {
		return p.sign("· ", "- ")
	}
	if !p.Signs {
		return string(v) + ": "
	}
	style, sign := waits, "? "
	switch v {
	case rollout.Pass:
		style, sign = good, "✔ "
	case rollout.Fail:
		style, sign = bad, "✖ "
	case rollout.Error:
		style, sign = bad, "! "
	case rollout.Inconclusive, rollout.StableUnhealthy:
	}
	return p.paint(style, sign)
}

func (p *picture) verdict(v rollout.Verdict) string {
	switch v {
	case rollout.Pass:
		return p.paint(good, string(v))
	case rollout.Fail, rollout.Error:
		return p.paint(bad, string(v))
	case rollout.Inconclusive, rollout.StableUnhealthy:
	}
	return p.paint(waits, string(v))
}

// next says what happens next.
func (p *picture) next() {
	n := p.s.Next
	if n == nil {
		return
	}
	text := n.What
	if n.At != nil {
		text = fmt.Sprintf("in %s: %s", Span(p.s.Left(*n.At)), text)
	}
	if n.Needs != "" {
		who := "It waits for this"
		if n.Person {
			who = "It waits for a person"
		}
		text += fmt.Sprintf(". %s: %s", who, n.Needs)
	}
	p.row("Next", text)
	deadlines := p.s.Deadlines
	if p.brevity >= oneDeadline {
		deadlines = deadlines[:min(1, len(deadlines))]
	}
	for i, d := range deadlines {
		word := ""
		if i == 0 {
			word = "Ends"
		}
		p.row(word, p.paint(faint, fmt.Sprintf("in %s at the latest: the deadline of %s", Span(p.s.Left(d.At)), d.Name)))
	}
}

func (p *picture) actions() {
	switch {
	case p.brevity >= noActions || len(p.s.Actions) == 0:
		return
	case p.brevity >= oneAction:
		var verbs []string
		for _, a := range p.s.Actions {
			verbs = append(verbs, short(a.Verb))
		}
		p.row("Type", "kubectl headgate "+strings.Join(verbs, "|")+" "+p.target())
		return
	}
	for i, a := range p.s.Actions {
		word := ""
		if i == 0 {
			word = "Type"
		}
		p.row(word, fmt.Sprintf("kubectl headgate %s %s  %s", short(a.Verb), p.target(), p.paint(faint, "to "+a.Want)))
	}
}

// short is the verb of the command line.
func short(verb string) string {
	if verb == spec.VerbPromoteFull {
		return "promote --full"
	}
	return verb
}

func (p *picture) target() string { return p.s.Name + " -n " + p.s.Namespace }

// maxEvents is how many events a status shows. kubectl headgate events shows all.
const maxEvents = 5

func (p *picture) events() {
	most := maxEvents
	switch {
	case p.brevity >= noEvents:
		most = 0
	case p.brevity >= fewEvents:
		most = 2
	}
	events := p.s.Events[max(0, len(p.s.Events)-most):]
	for i, e := range events {
		word := ""
		if i == 0 {
			word = "Events"
		}
		p.row(word, p.event(e))
	}
}

func (p *picture) event(e status.Event) string {
	style := faint
	if e.Warning {
		style = bad
	}
	return fmt.Sprintf("%s ago  %s  %s", Span(p.s.At.Sub(e.At)), p.paint(style, string(e.Reason)), e.Message)
}

func (p *picture) notes() {
	for _, m := range p.s.Mistakes {
		p.row("Mistake", p.paint(bad, m))
	}
	if p.brevity >= noEvents {
		return
	}
	for _, u := range p.s.Unread {
		p.row("Unread", p.paint(faint, u))
	}
}
