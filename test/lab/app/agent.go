package app

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const toolCallsPerTask = 3

// agent has the counters that an AI agent has, as in examples/ai-agent. Each answer of the service is one task.
type agent struct {
	started, completed, tokens, calls, errors prometheus.Counter

	mu            sync.Mutex
	failures      share
	toolErrors    share
	tokensPerTask float64
}

func newAgent(c config, factory promauto.Factory) *agent {
	counter := func(name, help string) prometheus.Counter {
		return factory.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return &agent{
		started:       counter("agent_tasks_started_total", "Tasks started."),
		completed:     counter("agent_tasks_completed_total", "Tasks completed."),
		tokens:        counter("agent_tokens_total", "Tokens used."),
		calls:         counter("agent_tool_calls_total", "Tool calls."),
		errors:        counter("agent_tool_errors_total", "Tool calls that failed."),
		failures:      share{rate: c.taskFailureRate},
		toolErrors:    share{rate: c.toolErrorRate},
		tokensPerTask: c.tokensPerTask,
	}
}

func (a *agent) task() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.started.Inc()
	a.tokens.Add(a.tokensPerTask)
	for range toolCallsPerTask {
		a.calls.Inc()
		if a.toolErrors.next() {
			a.errors.Inc()
		}
	}
	if !a.failures.next() {
		a.completed.Inc()
	}
}

// share is true for that part of the calls of next, evenly spread: with rate 0.3, for the 4th, the 7th and the 10th
// of ten. No test then fails by chance.
type share struct{ rate, due float64 }

func (s *share) next() bool {
	s.due += s.rate
	// Ten times 0.1 is a little less than 1.
	if s.due < 1-1e-9 {
		return false
	}
	s.due--
	return true
}
