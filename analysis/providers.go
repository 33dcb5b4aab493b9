package analysis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/rollout"
)

// DefaultProvider is the name of the provider of every built-in metric, and of each
// metric that names no other.
const DefaultProvider = "prometheus"

// Provider answers questions. It must be safe for concurrent use.
type Provider interface {
	// Check says what is wrong with a question as the user wrote it. It sends nothing.
	Check(q provider.Question) error

	// Ask fills in the variables of a question for s, sends it, and returns the answer.
	// It must return in bounded time. An error is a provider.QueryFault where the question
	// is the cause.
	Ask(ctx context.Context, q provider.Question, s rollout.Subject) (provider.Answer, error)
}

// Providers are those that the operator has set up, by name. nil: none.
type Providers map[string]Provider

// ErrUnknownProvider says that an analysis names a provider that the operator has not set up.
var ErrUnknownProvider = errors.New("unknown provider")

// Check returns an error that says what is wrong with the text of an annotation, or nil
// for an empty text. Unlike the function Check it knows which providers exist, and asks
// each of them whether it understands its questions.
func (ps Providers) Check(text string) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	a, err := Parse(text)
	if err != nil {
		return err
	}
	return ps.check(a)
}

// check returns the first error of a question to its provider.
func (ps Providers) check(a Analysis) error {
	for _, m := range a.Metrics {
		if m.builtIn != nil || m.isComparison() && m.compared.own == nil {
			continue
		}
		p, err := ps.named(m.providerName())
		if err == nil {
			err = m.check(p)
		}
		if err != nil {
			return fmt.Errorf("metric %q: %w", m.Name, err)
		}
	}
	return nil
}

// check says whether p understands what the user asks of it.
func (m Metric) check(p Provider) error {
	if !m.isComparison() {
		return p.Check(m.question())
	}
	counters, err := countersIn(p)
	if err != nil {
		return err
	}
	return m.compared.own.check(counters)
}

func (ps Providers) named(name string) (Provider, error) {
	if p, ok := ps[name]; ok {
		return p, nil
	}
	if name == DefaultProvider {
		return nil, provider.NotConfigured("no Prometheus is configured: set HEADGATE_PROMETHEUS_ADDRESS")
	}
	known := "there are none (HEADGATE_PROVIDERS_FILE)"
	if len(ps) > 0 {
		known = "the operator has set up " + strings.Join(slices.Sorted(maps.Keys(ps)), ", ") + " (HEADGATE_PROVIDERS_FILE)"
	}
	return nil, fmt.Errorf("%w %q: %s", ErrUnknownProvider, name, known)
}

// InNamespaces returns p for the Deployments of some namespaces: those of any other get
// an error. Without namespaces it returns p itself.
func InNamespaces(p Provider, namespaces []string) Provider {
	if len(namespaces) == 0 {
		return p
	}
	return confined{p, namespaces}
}

type confined struct {
	Provider
	namespaces []string
}

func (c confined) Ask(ctx context.Context, q provider.Question, s rollout.Subject) (provider.Answer, error) {
	if err := c.refuses(s); err != nil {
		return provider.Answer{}, err
	}
	return c.Provider.Ask(ctx, q, s)
}

func (c confined) refuses(s rollout.Subject) error {
	if slices.Contains(c.namespaces, s.Namespace) {
		return nil
	}
	// The namespaces are not named: whoever reads this may not know of them.
	return provider.Faultf("is not allowed: the operator has set up this provider for other namespaces than %s", s.Namespace)
}

// countersOf returns the provider of the counters of s.
func (ps Providers) countersOf(s rollout.Subject) (counterProvider, error) {
	p, err := ps.named(DefaultProvider)
	if err != nil {
		return nil, err
	}
	if c, is := p.(confined); is {
		if err := c.refuses(s); err != nil {
			return nil, err
		}
	}
	return countersIn(p)
}

// countersIn returns p, for every namespace, as a provider of counters.
func countersIn(p Provider) (counterProvider, error) {
	if c, is := p.(confined); is {
		p = c.Provider
	}
	counters, ok := p.(counterProvider)
	if !ok {
		return nil, errors.New("the provider prometheus has no counters")
	}
	return counters, nil
}

// silence is an error whose text is complete: it names the provider or the metric itself.
type silence struct{ text string }

func (s *silence) Error() string { return s.text }

// explainSilence names the provider in err, unless the question is the cause.
func explainSilence(name string, err error) error {
	if _, fault := errors.AsType[provider.QueryFault](err); fault {
		return err
	}
	if missing, ok := errors.AsType[provider.NotConfigured](err); ok {
		return &silence{missing.Error()}
	}
	if name == DefaultProvider {
		return err
	}
	return &silence{fmt.Sprintf("provider %s: %s", name, err)}
}
