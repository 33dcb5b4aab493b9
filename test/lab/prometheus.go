package lab

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/headgate/headgate/test/lab/parts"
	"github.com/headgate/headgate/test/lab/process"
)

const prometheusPort = 9090

// Prometheus is the lab's Prometheus server. Its data survives Stop and Start.
type Prometheus struct {
	spec    process.Spec
	process *process.Process // nil while stopped
}

// URL is the server's address, also for HEADGATE_PROMETHEUS_ADDRESS.
func (p *Prometheus) URL() string { return fmt.Sprintf("http://%s:%d", host, prometheusPort) }

// Start runs the server and waits until it is ready. It does nothing if it runs already.
func (p *Prometheus) Start(ctx context.Context) error {
	if p.process != nil {
		return nil
	}
	var err error
	if p.process, err = process.Start(p.spec); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	return p.process.WaitReady(ctx, answers(p.URL()+"/-/ready", http.StatusOK))
}

// Stop ends the server, as an outage would. It does nothing if it does not run.
func (p *Prometheus) Stop() {
	if p.process == nil {
		return
	}
	p.process.Stop(5 * time.Second)
	p.process = nil
}

// prometheusConfig scrapes Traefik and the pods that the node agent lists.
const prometheusConfig = `global:
  scrape_interval: 1s
  scrape_timeout: 900ms
scrape_configs:
- job_name: traefik
  static_configs:
  - targets: [%q]
- job_name: pods
  honor_labels: true # of a rollout's series, namespace is that of the Deployment
  file_sd_configs:
  - files: [%q]
    refresh_interval: 1s
`

func (l *Lab) startPrometheus(ctx context.Context) error {
	if !l.options.Prometheus {
		return nil
	}
	targets := filepath.Join(l.Dir, "targets.json")
	if l.Node != nil {
		targets = l.Node.TargetsFile()
	}
	config := filepath.Join(l.Dir, "prometheus.yml")
	content := fmt.Sprintf(prometheusConfig, fmt.Sprintf("%s:%d", host, traefikPort), targets)
	if err := os.WriteFile(config, []byte(content), 0o644); err != nil {
		return err
	}
	l.Prometheus = &Prometheus{spec: process.Spec{
		Name: "prometheus", Path: l.paths[parts.Prometheus],
		Args: []string{
			"--config.file=" + config,
			"--storage.tsdb.path=" + filepath.Join(l.Dir, "prometheus"),
			fmt.Sprintf("--web.listen-address=%s:%d", host, prometheusPort),
		},
		Log: filepath.Join(l.Dir, "prometheus.log"),
	}}
	return l.Prometheus.Start(ctx)
}
