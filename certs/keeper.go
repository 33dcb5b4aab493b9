package certs

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"sync/atomic"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// The defaults of Keeper.Lifetime and Keeper.Settle.
const (
	DefaultLifetime = 365 * 24 * time.Hour
	DefaultSettle   = 10 * time.Second
)

// fieldOwner owns the caBundle in the managed fields, so that an apply of the
// chart leaves it alone.
const fieldOwner = "headgate"

// Keeper renews the certificate and holds the one that this replica serves.
// Secret, WebhookConfiguration, Service and Client are required.
type Keeper struct {
	// Client reads through a cache that CacheOptions restricts.
	Client client.Client

	// Secret holds tls.crt (certificate, then its CA) and tls.key. It must
	// exist, empty at first: the Keeper has no permission to create one.
	Secret types.NamespacedName

	// WebhookConfiguration names the MutatingWebhookConfiguration; every webhook
	// in it is ours.
	WebhookConfiguration string

	// Service, in the namespace of Secret, is what API servers call. The
	// certificate is for "<service>.<namespace>.svc".
	Service string

	// Lifetime of a certificate; a third before its end it is renewed.
	// 0: DefaultLifetime.
	Lifetime time.Duration

	// Settle is how long a replica goes on with the old certificate after it saw the new
	// CA in the bundle: API servers watch that bundle too, and may be
	// behind. 0: DefaultSettle.
	Settle time.Duration

	served atomic.Pointer[tls.Certificate]

	// next is the certificate that waits for Settle to pass, since when its CA was seen in
	// the bundle. Only Reconcile uses them, and it runs once at a time.
	next  []byte
	since time.Time
}

// CacheOptions restricts a cache to the two objects that the Keeper reads. With
// it, list and watch are permitted by a role that names them.
func (k *Keeper) CacheOptions() map[client.Object]cache.ByObject {
	named := func(name string) fields.Selector { return fields.OneTermEqualSelector("metadata.name", name) }
	return map[client.Object]cache.ByObject{
		&corev1.Secret{}: {
			Namespaces: map[string]cache.Config{k.Secret.Namespace: {FieldSelector: named(k.Secret.Name)}},
		},
		&admissionv1.MutatingWebhookConfiguration{}: {Field: named(k.WebhookConfiguration)},
	}
}

// SetupWithManager registers k on every replica, leader or not: each one serves
// the webhook, and a follower that waited for the leader would never be ready.
func (k *Keeper) SetupWithManager(mgr ctrl.Manager) error {
	secret := func(context.Context, client.Object) []ctrl.Request {
		return []ctrl.Request{{NamespacedName: k.Secret}}
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("certs").
		For(&corev1.Secret{}).
		Watches(&admissionv1.MutatingWebhookConfiguration{}, handler.EnqueueRequestsFromMapFunc(secret)).
		WithOptions(controller.Options{NeedLeaderElection: ptr.To(false), MaxConcurrentReconciles: 1}).
		Complete(k)
}

// Reconcile makes the Secret hold a good certificate, then the webhook
// configuration trust it, then this replica serve it. The request does not
// matter: there is one Secret. A lost race against another replica is no error.
func (k *Keeper) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	cert, err := k.ensureSecret(ctx, time.Now())
	if err != nil {
		return quiet(err)
	}
	bundles, err := k.ensureBundles(ctx, cert, time.Now())
	if err != nil {
		return quiet(err)
	}
	return ctrl.Result{RequeueAfter: k.serve(cert, bundles, time.Now())}, nil
}

// quiet looks again instead of reporting a conflict: the cache was behind.
func quiet(err error) (ctrl.Result, error) {
	if apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: time.Second}, nil
	}
	return ctrl.Result{}, err
}

func (k *Keeper) ensureSecret(ctx context.Context, now time.Time) (*tls.Certificate, error) {
	var secret corev1.Secret
	if err := k.Client.Get(ctx, k.Secret, &secret); err != nil {
		return nil, fmt.Errorf("reading Secret %q, which comes empty with the chart (helm upgrade restores it): %w", k.Secret, err)
	}
	cert, err := parse(secret.Data)
	if err == nil {
		err = verify(cert, authority(cert), k.host(), now.Add(k.lifetime()/3))
	}
	if err == nil {
		return cert, nil
	}
	because := err.Error()
	if secret.Data, err = issue(k.host(), k.lifetime()); err != nil {
		return nil, fmt.Errorf("issuing a certificate for %q: %w", k.host(), err)
	}
	if err := k.Client.Update(ctx, &secret, client.FieldOwner(fieldOwner)); err != nil {
		return nil, fmt.Errorf("writing Secret %q: %w", k.Secret, err)
	}
	log.FromContext(ctx).Info("serving certificate renewed", "because", because)
	return parse(secret.Data)
}

// ensureBundles returns the bundle of every webhook, none while the
// configuration does not exist.
func (k *Keeper) ensureBundles(ctx context.Context, cert *tls.Certificate, now time.Time) ([][]byte, error) {
	found, err := k.configuration(ctx)
	if err != nil || found == nil {
		return nil, err
	}
	want := found.DeepCopy()
	bundles := make([][]byte, len(want.Webhooks))
	changed := false
	for i := range want.Webhooks {
		clientConfig := &want.Webhooks[i].ClientConfig
		bundles[i] = extend(clientConfig.CABundle, authority(cert), now)
		changed = changed || !bytes.Equal(bundles[i], clientConfig.CABundle)
		clientConfig.CABundle = bundles[i]
	}
	if !changed {
		return bundles, nil
	}
	// A strategic merge touches one field of each webhook and keeps fields
	// that a newer API server knows and this build does not.
	patch := client.StrategicMergeFrom(found, client.MergeFromWithOptimisticLock{})
	if err := k.Client.Patch(ctx, want, patch, client.FieldOwner(fieldOwner)); err != nil {
		return nil, fmt.Errorf("writing the CA bundle of MutatingWebhookConfiguration %q: %w", k.WebhookConfiguration, err)
	}
	log.FromContext(ctx).Info("CA bundle written", "webhookConfiguration", k.WebhookConfiguration)
	return bundles, nil
}

// configuration returns nil when there is none: somebody took the webhook away,
// which is a way out of Headgate and no reason to stop.
func (k *Keeper) configuration(ctx context.Context) (*admissionv1.MutatingWebhookConfiguration, error) {
	var config admissionv1.MutatingWebhookConfiguration
	err := k.Client.Get(ctx, types.NamespacedName{Name: k.WebhookConfiguration}, &config)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading MutatingWebhookConfiguration %q: %w", k.WebhookConfiguration, err)
	}
	return &config, nil
}

// serve takes cert into service and returns when to look again. While the one
// served now is good, cert first waits until its CA has been in the bundle for
// Settle.
func (k *Keeper) serve(cert *tls.Certificate, bundles [][]byte, now time.Time) time.Duration {
	renewal := max(cert.Leaf.NotAfter.Add(-k.lifetime()/3).Sub(now), time.Second)
	current := k.served.Load()
	if current == nil || trusted(current, bundles, k.host(), now) != nil {
		k.served.Store(cert)
		return renewal
	}
	if bytes.Equal(current.Certificate[0], cert.Certificate[0]) {
		return renewal
	}
	if !bytes.Equal(k.next, cert.Certificate[0]) {
		k.next, k.since = cert.Certificate[0], now
	}
	if left := k.since.Add(k.settle()).Sub(now); left > 0 {
		return left
	}
	k.served.Store(cert)
	return renewal
}

func (k *Keeper) host() string { return k.Service + "." + k.Secret.Namespace + ".svc" }

func (k *Keeper) lifetime() time.Duration { return cmp.Or(k.Lifetime, DefaultLifetime) }

func (k *Keeper) settle() time.Duration { return cmp.Or(k.Settle, DefaultSettle) }
