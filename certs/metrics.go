package certs

import (
	"crypto/tls"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The times of the certificate that this replica serves.
var (
	beginMetric = prometheus.NewDesc("headgate_certificate_begin_timestamp_seconds",
		"When the serving certificate of the webhook begins to be valid, as seconds since 1970.", nil, nil)
	endMetric = prometheus.NewDesc("headgate_certificate_end_timestamp_seconds",
		"When the serving certificate of the webhook expires, as seconds since 1970.", nil, nil)
)

// Metrics exports when the certificate that a replica serves begins and ends. Its value is
// the GetCertificate of a Keeper or of Mounted. It exports nothing while there is none.
type Metrics func(*tls.ClientHelloInfo) (*tls.Certificate, error)

// Describe implements prometheus.Collector.
func (Metrics) Describe(out chan<- *prometheus.Desc) {
	out <- beginMetric
	out <- endMetric
}

// Collect implements prometheus.Collector.
func (m Metrics) Collect(out chan<- prometheus.Metric) {
	cert, err := m(nil)
	if err != nil {
		return
	}
	seconds := func(t time.Time) float64 { return float64(t.Unix()) }
	out <- prometheus.MustNewConstMetric(beginMetric, prometheus.GaugeValue, seconds(cert.Leaf.NotBefore))
	out <- prometheus.MustNewConstMetric(endMetric, prometheus.GaugeValue, seconds(cert.Leaf.NotAfter))
}
