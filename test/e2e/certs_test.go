package e2e

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

// TestCertificateIsRenewed empties the Secret, which forces a new CA, while it writes
// annotated Deployments all the time. None of the writes may fail. Then it removes
// the caBundle, as a careless upgrade does, and waits until it is restored.
func TestCertificateIsRenewed(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	failed := writeAllTheTime(ctx, t)

	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: lab.HeadgateNamespace, Name: "headgate-cert"}}
	must(t, shared.Client().Get(ctx, client.ObjectKeyFromObject(secret), secret))
	old := secret.Data["tls.crt"]
	must(t, shared.Client().Patch(ctx, secret, client.RawPatch(types.MergePatchType, []byte(`{"data":null}`))))
	within, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	must(t, shared.Await(within, secret, func() error {
		if now := secret.Data["tls.crt"]; len(now) == 0 || bytes.Equal(now, old) {
			return fmt.Errorf("no new certificate yet")
		}
		return nil
	}))
	time.Sleep(15 * time.Second) // the replicas serve the new certificate after 10 s
	stop()
	if first := failed.Load(); first != nil {
		t.Errorf("a write failed while the certificate changed: %v", *first)
	}

	config := &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "zz-headgate"}}
	wipe := client.RawPatch(types.JSONPatchType, []byte(`[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}]`))
	must(t, shared.Client().Patch(t.Context(), config, wipe))
	within, cancel = context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	must(t, shared.Await(within, config, func() error {
		if len(config.Webhooks[0].ClientConfig.CABundle) == 0 {
			return fmt.Errorf("the caBundle is still missing")
		}
		return nil
	}))
	must(t, lab.Poll(within, func() error { return dryRun(within) }))
}

// writeAllTheTime sends annotated Deployments through the webhook until ctx is done,
// and keeps the first error.
func writeAllTheTime(ctx context.Context, t *testing.T) *atomic.Pointer[error] {
	var failed atomic.Pointer[error]
	done := make(chan struct{})
	t.Cleanup(func() { <-done })
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if err := dryRun(ctx); err != nil && ctx.Err() == nil {
				failed.CompareAndSwap(nil, &err)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
	return &failed
}

func dryRun(ctx context.Context) error {
	dep := lab.Sample{Namespace: metav1.NamespaceDefault, Name: "probe", Version: "v1"}.Deployment()
	dep.Annotations = map[string]string{spec.AnnotationStrategy: "canary"}
	return shared.Client().Create(ctx, dep, client.DryRunAll)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
