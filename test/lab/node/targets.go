package node

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
)

// TargetsFile is the file of Prometheus' file_sd form that lists every pod annotated
// prometheus.io/scrape: "true", with its labels.
func (a *Agent) TargetsFile() string { return filepath.Join(a.Dir, "targets.json") }

// targets keeps the file of scrape targets up to date.
type targets struct {
	file  string
	dirty chan struct{}
}

func newTargets(file string) *targets {
	return &targets{file: file, dirty: make(chan struct{}, 1)}
}

// changed says that a pod changed.
func (t *targets) changed() {
	select {
	case t.dirty <- struct{}{}:
	default: // a write is due already
	}
}

// group is one entry of a file_sd file.
type group struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// gather is how long changes are collected before the file is written: often many pods
// change at the same time.
const gather = 100 * time.Millisecond

func (t *targets) run(ctx context.Context, pods cache.Store) {
	var written string
	for {
		groups := []group{}
		for _, obj := range pods.List() {
			if g, ok := scrape(obj.(*corev1.Pod)); ok {
				groups = append(groups, g)
			}
		}
		if content, err := json.MarshalIndent(groups, "", " "); err == nil && string(content) != written {
			if t.write(content) == nil {
				written = string(content)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-t.dirty:
			time.Sleep(gather)
		}
	}
}

// write replaces the file atomically: Prometheus must never read half of it.
func (t *targets) write(content []byte) error {
	temporary := t.file + ".new"
	if err := os.WriteFile(temporary, content, 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, t.file)
}

var notInLabel = regexp.MustCompile(`[^a-zA-Z0-9_]`)

// scrape is the target of pod, if it asks for one. Port and path follow prometheus.io/port (8080)
// and prometheus.io/path (/metrics).
func scrape(pod *corev1.Pod) (group, bool) {
	if pod.Annotations["prometheus.io/scrape"] != "true" || pod.Status.PodIP == "" || finished(pod) {
		return group{}, false
	}
	port, path := pod.Annotations["prometheus.io/port"], pod.Annotations["prometheus.io/path"]
	if port == "" {
		port = "8080"
	}
	if path == "" {
		path = "/metrics"
	}
	labels := map[string]string{"namespace": pod.Namespace, "pod": pod.Name, "__metrics_path__": path}
	for name, value := range pod.Labels {
		labels["label_"+notInLabel.ReplaceAllString(name, "_")] = value
	}
	return group{Targets: []string{net.JoinHostPort(pod.Status.PodIP, port)}, Labels: labels}, true
}
