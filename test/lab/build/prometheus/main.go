// Command prometheus is a real Prometheus that discovers its targets from
// static_configs and file_sd_configs only. Scraping, storage, PromQL and the
// HTTP API are the upstream packages of the version in go.mod.
//
// Upstream's own main cannot be built everywhere: it links the service
// discovery of every cloud, and not every module proxy serves those SDKs.
//
// What it does not do: rules, alerting and remote storage, which are refused in
// the configuration file; the web pages; reloading, because targets change
// through file_sd_configs. The flags it has mean what they mean upstream, so an
// installed Prometheus can take its place. Package parts builds it, the lab
// runs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// version is upstream's release; package parts sets it when it builds.
var version = "0.0.0-unknown"

func main() {
	var o options
	flag.StringVar(&o.configFile, "config.file", "prometheus.yml", "Prometheus configuration `file`")
	flag.StringVar(&o.dir, "storage.tsdb.path", "data/", "`directory` of the samples; they survive a restart")
	flag.StringVar(&o.listen, "web.listen-address", "0.0.0.0:9090", "`address` of the HTTP API")
	// Upstream waits 5 s before a target it found is scraped. A rollout in the
	// lab can be over by then.
	flag.DurationVar(&o.discoveryInterval, "scrape.discovery-reload-interval", time.Second, "longest `time` until a change of targets is seen")
	showVersion := flag.Bool("version", false, "print the version and exit")
	flag.Parse()
	if *showVersion {
		fmt.Printf("prometheus, version %s (static and file discovery only)\n", version)
		return
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "prometheus:", err)
		os.Exit(1)
	}
}
