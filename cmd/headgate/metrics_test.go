package main

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// The dashboard shows them. controller-runtime registers the collector.
func TestProcessMetrics(t *testing.T) {
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	served := map[string]bool{}
	for _, family := range families {
		served[family.GetName()] = true
	}
	for _, name := range []string{"process_cpu_seconds_total", "process_resident_memory_bytes"} {
		if !served[name] {
			t.Errorf("there is no %s", name)
		}
	}
}
