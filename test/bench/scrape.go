package bench

import (
	"context"
	"fmt"
	"net/http"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// scraped is what the metrics of all of Headgate's pods say together.
type scraped struct {
	goroutines float64
	series     int
	perApp     int // series with a label that names a namespace

	webhookCalls   uint64
	webhookSeconds float64 // from the request read to the answer written
}

func (b *bench) scrape(ctx context.Context) (scraped, error) {
	var sum scraped
	pods, err := b.headgatePods(ctx)
	if err != nil {
		return sum, err
	}
	for _, pod := range pods {
		if err := sum.add(ctx, fmt.Sprintf("http://%s:8080/metrics", pod.Status.PodIP)); err != nil {
			return sum, fmt.Errorf("read the metrics of pod %s: %w", pod.Name, err)
		}
	}
	return sum, nil
}

func (s *scraped) add(ctx context.Context, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(res.Body)
	if err != nil {
		return err
	}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			// A histogram has a series for each bucket, a sum and a count.
			n := 1
			if h := m.GetHistogram(); h != nil {
				n = len(h.GetBucket()) + 2
			}
			s.series += n
			for _, l := range m.GetLabel() {
				if l.GetName() == "namespace" {
					s.perApp += n
				}
			}
			switch name {
			case "go_goroutines":
				s.goroutines += m.GetGauge().GetValue()
			case "controller_runtime_webhook_latency_seconds":
				s.webhookCalls += m.GetHistogram().GetSampleCount()
				s.webhookSeconds += m.GetHistogram().GetSampleSum()
			}
		}
	}
	return nil
}
