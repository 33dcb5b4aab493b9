package main

import (
	"context"
	"errors"
	"time"

	tea "charm.land/bubbletea/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/headgate/headgate/cmd/kubectl-headgate/draw"
	"github.com/headgate/headgate/rollout/status"
)

// tryAgainAfter is how long the picture waits before it asks an API server again that did not answer.
const tryAgainAfter = 2 * time.Second

// watchPicture draws the Status anew until the person leaves with q or Ctrl-C.
func (e *env) watchPicture(ctx context.Context, namespace, name string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	program := tea.NewProgram(&picture{look: e.look()}, tea.WithContext(ctx), tea.WithInput(e.in), tea.WithOutput(e.out))
	go func() {
		for ctx.Err() == nil {
			for s, err := range e.changes(ctx, namespace, name) {
				program.Send(seen{s, err})
			}
			select {
			case <-ctx.Done():
			case <-time.After(tryAgainAfter):
			}
		}
	}()
	last, err := program.Run()
	if p, ok := last.(*picture); ok && p.err != nil {
		return p.err
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// seen is what was read, and second is the time that goes on.
type (
	seen struct {
		status status.Status
		err    error
	}
	second time.Time
)

// picture is what is on the terminal.
type picture struct {
	look    draw.Look
	status  status.Status
	trouble string // why the last reading failed; "": it did not
	err     error  // why it cannot go on
}

// maxPast is how many values of a metric the line of its course has.
const maxPast = 30

func (p *picture) Init() tea.Cmd { return nextSecond() }

func nextSecond() tea.Cmd {
	return tea.Tick(time.Second, func(t time.Time) tea.Msg { return second(t) })
}

func (p *picture) Update(message tea.Msg) (tea.Model, tea.Cmd) {
	switch m := message.(type) {
	case seen:
		return p, p.see(m)
	case second:
		p.status.At = time.Time(m).UTC() // the countdowns go on between two reads
		return p, nextSecond()
	case tea.WindowSizeMsg:
		p.look.Width, p.look.Height = m.Width, m.Height
	case tea.KeyPressMsg:
		if key := m.String(); key == "q" || key == "ctrl+c" || key == "esc" {
			return p, tea.Quit
		}
	}
	return p, nil
}

// see takes what was read. A Deployment that is not there, or that may not be read, ends the picture; an API server that does
// not answer is asked again.
func (p *picture) see(m seen) tea.Cmd {
	_, answered := errors.AsType[*apierrors.StatusError](m.err)
	switch {
	case m.err == nil:
		p.status, p.trouble = m.status, ""
		p.remember()
	case answered && !apierrors.IsServerTimeout(m.err) && !apierrors.IsTooManyRequests(m.err) && !apierrors.IsServiceUnavailable(m.err),
		p.status.Name == "":
		p.err = m.err
		return tea.Quit
	default:
		p.trouble = explainError(m.err)
	}
	return nil
}

// remember adds the values of the metrics, if they are new.
func (p *picture) remember() {
	if p.status.Analysis == nil {
		return
	}
	if p.look.Past == nil {
		p.look.Past = map[string][]float64{}
	}
	for _, m := range p.status.Analysis.Metrics {
		past := p.look.Past[m.Name]
		if m.Canary == nil || len(past) > 0 && past[len(past)-1] == m.Canary.Share {
			continue
		}
		past = append(past, m.Canary.Share)
		p.look.Past[m.Name] = past[max(0, len(past)-maxPast):]
	}
}

// footer is the number of lines below the Status.
const footer = 2

func (p *picture) View() tea.View {
	if p.status.Name == "" {
		return tea.NewView("reading...\n")
	}
	look := p.look
	look.Height = max(1, look.Height-footer)
	last := "q to leave"
	if p.trouble != "" {
		last = "This is some time old, and it is read again: " + p.trouble
	}
	return tea.NewView(draw.Fit(p.status, look) + "\n" + last)
}
