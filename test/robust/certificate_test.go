package robust

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/test/lab"
)

// TestUpdatesWhileTheCertificateChanges strips the CA bundle as a GitOps tool does, deletes
// the Secret of the certificate, does both, and restores the Secret as "helm upgrade" does:
// with a new CA. New templates arrive all the time. Without the bundle some may be refused,
// and the message says why. None may go out.
func TestUpdatesWhileTheCertificateChanges(t *testing.T) {
	updates := updateAlways(t)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: lab.HeadgateNamespace, Name: "headgate-cert"}}
	must(t, shared.Client().Get(t.Context(), client.ObjectKeyFromObject(secret), secret))
	old := secret.Data[corev1.TLSCertKey]

	stripBundle(t)
	must(t, shared.Client().Delete(t.Context(), secret))
	time.Sleep(2 * time.Second)
	stripBundle(t)
	time.Sleep(2 * time.Second)
	must(t, install(within(t, time.Minute)))
	must(t, shared.Await(within(t, time.Minute), secret, func() error {
		if now := secret.Data[corev1.TLSCertKey]; len(now) == 0 || bytes.Equal(now, old) {
			return errors.New("no new certificate yet")
		}
		return nil
	}))
	time.Sleep(12 * time.Second) // the managers serve the new certificate after 10 s

	refused := updates.over()
	for _, r := range refused {
		if !strings.Contains(r.text, "x509: certificate signed by unknown authority") {
			t.Errorf("an update was refused because: %s", r.text)
		}
	}
	awaitManagers(t)
}

// stripBundle removes the CA bundle, waits until it is back, and says how long that was.
func stripBundle(t *testing.T) {
	t.Helper()
	config := &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "zz-headgate"}}
	strip := client.RawPatch(types.JSONPatchType, []byte(`[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}]`))
	must(t, shared.Client().Patch(t.Context(), config, strip))
	began := time.Now()
	must(t, shared.Await(within(t, 30*time.Second), config, func() error {
		if len(config.Webhooks[0].ClientConfig.CABundle) == 0 {
			return fmt.Errorf("the CA bundle is still missing")
		}
		return nil
	}))
	t.Logf("the CA bundle was back after %s", time.Since(began).Round(time.Millisecond))
}
