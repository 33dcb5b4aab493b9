package certs

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
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
// chart does not remove it.
const fieldOwner = "headgate"

// Keeper renews the certificate and knows the one that this replica serves.
// Secret, WebhookConfiguration and Service are required.
type Keeper struct {
	// Client reads from a cache that is restricted by CacheOptions. nil means that of the
	// manager in SetupWithManager.
	Client client.Client

	// Secret holds tls.crt (certificate, then its CA) and tls.key. It must
	// exist, empty at first: the Keeper has no permission to create one.
	Secret types.NamespacedName

	// WebhookConfiguration names the MutatingWebhookConfiguration. The Keeper
	// writes the caBundle of every webhook in it.
	WebhookConfiguration string

	// Service is the Service that API servers call, in the namespace of Secret. The
	// certificate is for "<service>.<namespace>.svc".
	Service string

	// Lifetime is how long a certificate is valid. It is renewed when a third of
	// that is left. 0 means DefaultLifetime.
	Lifetime time.Duration

	// Settle is how long a replica still serves the old certificate after it saw the
	// new CA in the bundle. API servers watch that bundle too, and may see it
	// later. 0 means DefaultSettle.
	Settle time.Duration

	served atomic.Pointer[tls.Certificate]

	// next is the certificate that waits for Settle to pass, and nextSince the time
	// when its CA was first seen in the bundle. Only Reconcile uses them, and no two
	// Reconciles run at once.
	next      []byte
	nextSince time.Time
}

// CacheOptions restricts a cache to the two objects that the Keeper reads. A role
// that names these two objects then permits the list and the watch.
func (k *Keeper) CacheOptions() map[client.Object]cache.ByObject {
	named := func(name string) fields.Selector { return fields.OneTermEqualSelector("metadata.name", name) }
	return map[client.Object]cache.ByObject{
		&corev1.Secret{}: {
			Namespaces: map[string]cache.Config{k.Secret.Namespace: {FieldSelector: named(k.Secret.Name)}},
		},
		&admissionv1.MutatingWebhookConfiguration{}: {Field: named(k.WebhookConfiguration)},
	}
}

// SetupWithManager registers k on every replica, leader or not. Each replica serves
// the webhook, and a replica without a certificate is never ready.
func (k *Keeper) SetupWithManager(mgr ctrl.Manager) error {
	if k.Client == nil {
		k.Client = mgr.GetClient()
	}
	toSecret := func(context.Context, client.Object) []ctrl.Request {
		return []ctrl.Request{{NamespacedName: k.Secret}}
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("certs").
		For(&corev1.Secret{}).
		Watches(&admissionv1.MutatingWebhookConfiguration{}, handler.EnqueueRequestsFromMapFunc(toSecret)).
		WithOptions(controller.Options{NeedLeaderElection: ptr.To(false), MaxConcurrentReconciles: 1}).
		Complete(k)
}

// Reconcile makes sure that the Secret has a valid certificate, that the webhook
// configuration trusts it, and that this replica serves it, in this order. It
// ignores the request: there is only one Secret. A conflict with another replica
// is no error.
func (k *Keeper) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	cert, err := k.ensureSecret(ctx, time.Now())
	if served := k.served.Load(); apierrors.IsNotFound(err) && served != nil {
		// Until somebody restores the Secret, the webhook works with what is served.
		_, failed := k.ensureBundles(ctx, served, time.Now())
		return ctrl.Result{}, errors.Join(err, failed)
	}
	if err != nil {
		return retryConflict(err)
	}
	bundles, err := k.ensureBundles(ctx, cert, time.Now())
	if err != nil {
		return retryConflict(err)
	}
	return ctrl.Result{RequeueAfter: k.serve(cert, bundles, time.Now())}, nil
}

// retryConflict turns a conflict into another Reconcile after a second: another
// replica wrote first, and the cache does not have it yet. It returns any other err.
func retryConflict(err error) (ctrl.Result, error) {
	if apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: time.Second}, nil
	}
	return ctrl.Result{}, err
}

// ensureSecret returns the certificate in the Secret. It writes a new one if there
// is none, if it is not for this host, or if it ends within a third of a lifetime.
// Example: with a lifetime of 90 days it asks whether the certificate is still
// valid in 30 days. A certificate of 1 January, valid until 1 April, is renewed on 2
// March.
func (k *Keeper) ensureSecret(ctx context.Context, now time.Time) (*tls.Certificate, error) {
	var secret corev1.Secret
	if err := k.Client.Get(ctx, k.Secret, &secret); err != nil {
		return nil, fmt.Errorf("reading Secret %q (the chart creates it empty, helm upgrade restores it): %w", k.Secret, err)
	}
	cert, err := parse(secret.Data)
	if err == nil {
		err = verify(cert, authority(cert), k.host(), now.Add(k.lifetime()/3))
	}
	if err == nil {
		return cert, nil
	}
	reason := err.Error()
	if secret.Data, err = issue(k.host(), k.lifetime()); err != nil {
		return nil, fmt.Errorf("issuing a certificate for %q: %w", k.host(), err)
	}
	if err := k.Client.Update(ctx, &secret, client.FieldOwner(fieldOwner)); err != nil {
		return nil, fmt.Errorf("writing Secret %q: %w", k.Secret, err)
	}
	log.FromContext(ctx).Info("serving certificate renewed", "because", reason)
	return parse(secret.Data)
}

// ensureBundles makes the bundle of every webhook trust cert, and returns these
// bundles. It returns none if the configuration does not exist.
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
	// A strategic merge changes one field of each webhook. It keeps fields that a
	// newer API server knows and this build does not.
	patch := client.StrategicMergeFrom(found, client.MergeFromWithOptimisticLock{})
	if err := k.Client.Patch(ctx, want, patch, client.FieldOwner(fieldOwner)); err != nil {
		return nil, fmt.Errorf("writing the CA bundle of MutatingWebhookConfiguration %q: %w", k.WebhookConfiguration, err)
	}
	log.FromContext(ctx).Info("CA bundle written", "webhookConfiguration", k.WebhookConfiguration)
	return bundles, nil
}

// configuration returns nil if the webhook configuration does not exist. That is no
// error: deleting it is one way to stop using Headgate.
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

// serve makes this replica serve cert, and returns how long until the next
// Reconcile. As long as the API server trusts the certificate that is served now,
// cert first waits until its CA has been in the bundle for Settle.
//
// The next Reconcile is at the end of that wait, otherwise at the renewal. Example:
// cert is valid until 1 April and lifetime is 90 days, so the renewal is 30 days
// before, on 2 March; on 1 January, serve returns 60 days. A renewal that is due
// already is 1 second away.
func (k *Keeper) serve(cert *tls.Certificate, bundles [][]byte, now time.Time) time.Duration {
	renewal := max(cert.Leaf.NotAfter.Add(-k.lifetime()/3).Sub(now), time.Second)
	current := k.served.Load()
	if current == nil || verifyAll(current, bundles, k.host(), now) != nil {
		k.served.Store(cert)
		return renewal
	}
	if bytes.Equal(current.Certificate[0], cert.Certificate[0]) {
		return renewal
	}
	if !bytes.Equal(k.next, cert.Certificate[0]) {
		k.next, k.nextSince = cert.Certificate[0], now
	}
	if left := k.nextSince.Add(k.settle()).Sub(now); left > 0 {
		return left
	}
	k.served.Store(cert)
	return renewal
}

func (k *Keeper) host() string { return hostOf(k.Service, k.Secret.Namespace) }

// hostOf is the name by which API servers call a Service.
func hostOf(service, namespace string) string { return service + "." + namespace + ".svc" }

func (k *Keeper) lifetime() time.Duration { return cmp.Or(k.Lifetime, DefaultLifetime) }

func (k *Keeper) settle() time.Duration { return cmp.Or(k.Settle, DefaultSettle) }
