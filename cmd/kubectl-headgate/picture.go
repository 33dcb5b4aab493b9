package main

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/headgate/headgate/cmd/kubectl-headgate/draw"
	"github.com/headgate/headgate/rollout/status"
)

// watchPicture draws the Status anew until the person leaves with q or Ctrl-C.
func (e *env) watchPicture(ctx context.Context, namespace, name string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	program := tea.NewProgram(&picture{look: e.look()}, tea.WithContext(ctx), tea.WithOutput(e.out))
	go func() {
		for s, err := range e.changes(ctx, namespace, name) {
			program.Send(seen{s, err})
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
	look   draw.Look
	status status.Status
	err    error
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
		if p.err = m.err; m.err != nil {
			return p, tea.Quit
		}
		p.status = m.status
		p.remember()
	case second:
		p.status.At = time.Time(m).UTC() // the countdowns go on between two reads
		return p, nextSecond()
	case tea.WindowSizeMsg:
		p.look.Width = m.Width
	case tea.KeyPressMsg:
		if key := m.String(); key == "q" || key == "ctrl+c" || key == "esc" {
			return p, tea.Quit
		}
	}
	return p, nil
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

func (p *picture) View() tea.View {
	if p.status.Name == "" {
		return tea.NewView("reading...\n")
	}
	return tea.NewView(draw.Status(p.status, p.look) + "\nq to leave\n")
}
