package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

var secretKey = types.NamespacedName{Namespace: "headgate-system", Name: "headgate-cert"}

// cluster is an API server that counts writes and can refuse one.
type cluster struct {
	client.Client
	t      *testing.T
	writes atomic.Int32
	refuse error
}

func newCluster(t *testing.T, objects ...client.Object) *cluster {
	c := &cluster{t: t}
	c.Client = fake.NewClientBuilder().WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		Update: func(ctx context.Context, w client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			c.writes.Add(1)
			if err := c.refuse; err != nil {
				c.refuse = nil
				return err
			}
			return w.Update(ctx, o, opts...)
		},
		Patch: func(ctx context.Context, w client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			c.writes.Add(1)
			return w.Patch(ctx, o, p, opts...)
		},
	}).Build()
	return c
}

func emptySecret() *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: secretKey.Namespace, Name: secretKey.Name}}
}

func configuration() *admissionv1.MutatingWebhookConfiguration {
	return &admissionv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "headgate"},
		Webhooks:   []admissionv1.MutatingWebhook{{Name: "deployments.headgate.dev"}},
	}
}

func (c *cluster) keeper() *Keeper {
	return &Keeper{Client: c, Secret: secretKey, WebhookConfiguration: "headgate", Service: "headgate"}
}

func (c *cluster) reconcile(k *Keeper) ctrl.Result {
	c.t.Helper()
	result, err := k.Reconcile(c.t.Context(), ctrl.Request{})
	if err != nil {
		c.t.Fatal(err)
	}
	return result
}

func (c *cluster) bundle() []byte {
	c.t.Helper()
	var config admissionv1.MutatingWebhookConfiguration
	if err := c.Get(c.t.Context(), types.NamespacedName{Name: "headgate"}, &config); err != nil {
		c.t.Fatal(err)
	}
	return config.Webhooks[0].ClientConfig.CABundle
}

func (c *cluster) setBundle(bundle []byte) {
	c.t.Helper()
	config := configuration()
	if err := c.Get(c.t.Context(), client.ObjectKeyFromObject(config), config); err != nil {
		c.t.Fatal(err)
	}
	config.Webhooks[0].ClientConfig.CABundle = bundle
	if err := c.Update(c.t.Context(), config); err != nil {
		c.t.Fatal(err)
	}
}

func checkReady(k *Keeper) error { return k.Check(httptest.NewRequest("GET", "/readyz", nil)) }

// leaf is the certificate that k serves, in DER.
func leaf(k *Keeper) string { return string(k.served.Load().Certificate[0]) }

func TestFirstReplicaFillsSecretAndBundle(t *testing.T) {
	c := newCluster(t, emptySecret(), configuration())
	k := c.keeper()
	if err := checkReady(k); err == nil || err.Error() != "no serving certificate yet" {
		t.Fatalf("Check before the first certificate: %v", err)
	}
	result := c.reconcile(k)
	if err := checkReady(k); err != nil {
		t.Fatal(err)
	}
	if got, want := result.RequeueAfter, DefaultLifetime*2/3; got < want-time.Minute || got > want {
		t.Errorf("next look in %v, want in %v, when a third is left", got, want)
	}
	before := c.writes.Load()
	c.reconcile(k)
	if got := c.writes.Load() - before; got != 0 {
		t.Errorf("%d writes with nothing to do", got)
	}
}

func TestReplicasShareOneCertificate(t *testing.T) {
	c := newCluster(t, emptySecret(), configuration())
	first, second := c.keeper(), c.keeper()
	c.reconcile(first)
	before := c.writes.Load()
	c.reconcile(second)
	if leaf(first) != leaf(second) {
		t.Error("the replicas serve different certificates")
	}
	if got := c.writes.Load() - before; got != 0 {
		t.Errorf("the second replica wrote %d times", got)
	}
}

func TestConflictIsNoError(t *testing.T) {
	c := newCluster(t, emptySecret(), configuration())
	c.refuse = apierrors.NewConflict(schema.GroupResource{Resource: "secrets"}, secretKey.Name, errors.New("modified"))
	k := c.keeper()
	if result := c.reconcile(k); result.RequeueAfter != time.Second {
		t.Errorf("next look in %v, want in a second", result.RequeueAfter)
	}
	if k.served.Load() != nil {
		t.Error("serves a certificate that is not in the Secret")
	}
	c.reconcile(k)
	if err := checkReady(k); err != nil {
		t.Error(err)
	}
}

func TestWipedBundleIsRestored(t *testing.T) {
	c := newCluster(t, emptySecret(), configuration())
	k := c.keeper()
	c.reconcile(k)
	served := leaf(k)

	c.setBundle(nil)
	want := `MutatingWebhookConfiguration "headgate" does not trust the serving certificate: the CA bundle is empty`
	if err := checkReady(k); err == nil || err.Error() != want {
		t.Errorf("Check: %v, want %s", err, want)
	}
	c.reconcile(k)
	if err := checkReady(k); err != nil {
		t.Error(err)
	}
	if leaf(k) != served {
		t.Error("the certificate changed, too")
	}
}

// The Secret is deleted too: nobody but the chart may create one.
func TestWipedBundleIsRestoredWithoutTheSecret(t *testing.T) {
	c := newCluster(t, emptySecret(), configuration())
	k := c.keeper()
	c.reconcile(k)
	if err := c.Client.Delete(t.Context(), emptySecret()); err != nil {
		t.Fatal(err)
	}
	c.setBundle(nil)
	if _, err := k.Reconcile(t.Context(), ctrl.Request{}); !apierrors.IsNotFound(err) {
		t.Errorf("Reconcile: %v, want that the Secret is missing", err)
	}
	if err := checkReady(k); err != nil {
		t.Error(err)
	}
}

func TestNewCertificateWaitsForTheAPIServers(t *testing.T) {
	synctest.Test(t, newCertificateWaits)
}

func newCertificateWaits(t *testing.T) {
	c := newCluster(t, emptySecret(), configuration())
	k := c.keeper()
	c.reconcile(k)
	old := leaf(k)

	emptied := emptySecret()
	if err := c.Update(t.Context(), emptied); err != nil {
		t.Fatal(err)
	}
	result := c.reconcile(k)
	if leaf(k) != old {
		t.Fatal("serves the new certificate before any API server can know its CA")
	}
	if err := checkReady(k); err != nil {
		t.Errorf("the old certificate is no longer trusted: %v", err)
	}
	if result.RequeueAfter != DefaultSettle {
		t.Errorf("next look in %v, want in %v", result.RequeueAfter, DefaultSettle)
	}
	time.Sleep(result.RequeueAfter)
	c.reconcile(k)
	if leaf(k) == old {
		t.Error("still serves the old certificate")
	}
	if err := checkReady(k); err != nil {
		t.Error(err)
	}
}

func TestMissingObjects(t *testing.T) {
	for name, tc := range map[string]struct {
		objects   []client.Object
		reconcile string
		check     string
	}{
		"without the Secret there is nothing to serve": {
			[]client.Object{configuration()},
			`reading Secret "headgate-system/headgate-cert" (the chart creates it empty, helm upgrade restores it): `,
			"no serving certificate yet",
		},
		"without a webhook configuration the replica is not ready, and waits": {
			[]client.Object{emptySecret()},
			"",
			`MutatingWebhookConfiguration "headgate" does not exist, so no template is held (helm upgrade restores it)`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := newCluster(t, tc.objects...).keeper()
			_, err := k.Reconcile(t.Context(), ctrl.Request{})
			if (err == nil) != (tc.reconcile == "") || err != nil && !strings.HasPrefix(err.Error(), tc.reconcile) {
				t.Errorf("Reconcile: %v, want %q", err, tc.reconcile)
			}
			if err := checkReady(k); err == nil || err.Error() != tc.check {
				t.Errorf("Check: %v, want %q", err, tc.check)
			}
		})
	}
}

// Two replicas with a certificate lifetime of 3 minutes serve a client that sees
// each bundle 5 seconds late, as an API server may. No handshake may fail.
func TestNoHandshakeFailsDuringRenewal(t *testing.T) {
	const lag, lifetime = DefaultSettle / 2, 3 * time.Minute
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, emptySecret(), configuration())
		replicas := []*Keeper{c.keeper(), c.keeper()}
		served := map[string]bool{}
		var bundles []seenBundle
		for end := time.Now().Add(2 * lifetime); time.Now().Before(end); time.Sleep(time.Second) {
			for _, k := range replicas {
				k.Lifetime = lifetime
				c.reconcile(k)
				served[leaf(k)] = true
			}
			bundles = append(bundles, seenBundle{time.Now(), c.bundle()})
			known := newest(bundles, time.Now().Add(-lag))
			if known == nil {
				continue // the replicas are not ready before the first bundle is seen
			}
			for _, k := range replicas {
				if err := handshake(k, known); err != nil {
					t.Fatalf("certificate %d: %v", len(served), err)
				}
			}
		}
		if len(served) != 3 {
			t.Errorf("%d certificates in two lifetimes, want 3, each renewed after two thirds", len(served))
		}
	})
}

// seenBundle is the bundle at a time.
type seenBundle struct {
	at     time.Time
	bundle []byte
}

// newest returns the last bundle before a time, nil if there was none.
func newest(bundles []seenBundle, before time.Time) (bundle []byte) {
	for _, s := range bundles {
		if s.at.Before(before) {
			bundle = s.bundle
		}
	}
	return bundle
}

func handshake(k *Keeper, bundle []byte) error {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	near, far := net.Pipe()
	go func() {
		_ = tls.Server(far, &tls.Config{GetCertificate: k.GetCertificate}).Handshake() // the client reports the error
		_ = far.Close()
	}()
	defer func() { _ = near.Close() }()
	return tls.Client(near, &tls.Config{ServerName: host, RootCAs: roots}).Handshake()
}
