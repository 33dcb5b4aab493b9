package controlplane

import (
	"bytes"
	"context"
	"fmt"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/kubernetes"
)

// WebhookCalls counts the calls of the admission webhook name (as in
// webhooks[].name) so far, allowed and rejected ones; 0 when it was never called. It is the API
// server's own metric apiserver_admission_webhook_request_total.
func (c *ControlPlane) WebhookCalls(ctx context.Context, name string) (int, error) {
	client, err := kubernetes.NewForConfig(c.Config(Admin))
	if err != nil {
		return 0, err
	}
	body, err := client.RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return 0, fmt.Errorf("read the API server's metrics: %w", err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("read the API server's metrics: %w", err)
	}
	calls := 0.0
	for _, m := range families["apiserver_admission_webhook_request_total"].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == "name" && l.GetValue() == name {
				calls += m.GetCounter().GetValue()
			}
		}
	}
	return int(calls), nil
}
