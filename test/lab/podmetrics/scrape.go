package podmetrics

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
)

// histogram has the sample service's count of its answers. http_requests_total has it too, but
// not before the first answer, and a pod that nobody asks is idle, not unknown.
const histogram = "http_request_duration_seconds"

// patience is how long a pod may take to answer: an autoscaler waits for all pods.
const patience = time.Second

// scrape reads pod's counter.
func scrape(ctx context.Context, pod *corev1.Pod) (reading, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	url := fmt.Sprintf("http://%s:8080/metrics", pod.Status.PodIP)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return reading{}, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return reading{}, err
	}
	defer res.Body.Close()
	at := time.Now()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(res.Body)
	if err != nil {
		return reading{}, fmt.Errorf("read %s: %w", url, err)
	}
	family, ok := families[histogram]
	if !ok {
		return reading{}, fmt.Errorf("%s has no %s: it is no sample service's", url, histogram)
	}
	r := reading{at: at}
	for _, m := range family.GetMetric() {
		r.count += float64(m.GetHistogram().GetSampleCount())
	}
	return r, nil
}
