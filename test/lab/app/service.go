package app

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Headers of every answer of the service, for programs that count answers.
const (
	// VersionHeader names the version that answered.
	VersionHeader = "X-Version"
	// OnPurposeHeader is "1" on an error that ERROR_RATE asked for: it is the
	// version's fault, not the rollout's.
	OnPurposeHeader = "X-On-Purpose"
)

// FailPath is answered 500 on purpose by every version, as where the database of all of
// them is down.
const FailPath = "/fail"

// service answers requests as its config says.
type service struct {
	config
	requests *prometheus.CounterVec
	duration prometheus.Histogram
	agent    *agent
}

// handler serves the service, its health and its metrics.
func handler(c config) http.Handler {
	registry := prometheus.NewRegistry()
	factory := promauto.With(registry)
	s := service{
		config: c,
		requests: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "http_requests_total", Help: "Requests answered, by status code.",
		}, []string{"code"}),
		duration: factory.NewHistogram(prometheus.HistogramOpts{
			Name: "http_request_duration_seconds", Help: "Time to answer.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}),
		agent: newAgent(c, factory),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", s.answer)
	mux.HandleFunc("/healthz", s.health)
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux
}

func (s service) answer(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	time.Sleep(s.latency)
	code := http.StatusOK
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set(VersionHeader, s.version)
	if r.URL.Path == FailPath || rand.Float64() < s.errorRate {
		code = http.StatusInternalServerError
		w.Header().Set(OnPurposeHeader, "1")
	}
	// The answer is counted before it is sent: a client that has it finds it in the metrics.
	s.requests.WithLabelValues(strconv.Itoa(code)).Inc()
	s.duration.Observe(time.Since(start).Seconds())
	s.agent.task()
	w.WriteHeader(code)
	// An error means that the client has gone.
	_ = json.NewEncoder(w).Encode(map[string]string{"version": s.version, "pod": s.pod})
}

func (s service) health(w http.ResponseWriter, _ *http.Request) {
	if s.neverReady {
		http.Error(w, "NEVER_READY is set", http.StatusServiceUnavailable)
	}
}
