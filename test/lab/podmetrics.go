package lab

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/cert"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/test/lab/podmetrics"
)

const (
	metricsPort = 4443
	metricsName = "v1beta1.metrics.k8s.io" // an APIService's name is VERSION.GROUP
)

// startMetrics serves the metrics API and registers it with the API server.
func (l *Lab) startMetrics(ctx context.Context) error {
	if !l.options.Metrics {
		return nil
	}
	if l.Node == nil {
		return errors.New("Options.Metrics needs Options.Node: there are no pods to measure")
	}
	crt, key, err := cert.GenerateSelfSignedCertKey(metricsService.Name+"."+metricsService.Namespace+".svc", nil, nil)
	if err != nil {
		return fmt.Errorf("make the certificate of the metrics API: %w", err)
	}
	pair, err := tls.X509KeyPair(crt, key)
	if err != nil {
		return fmt.Errorf("make the certificate of the metrics API: %w", err)
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("%s:%d", host, metricsPort))
	if err != nil {
		return fmt.Errorf("serve the metrics API: %w", err)
	}
	l.metrics = &http.Server{
		Handler:           podmetrics.Handler(l.client),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{pair}},
		ReadHeaderTimeout: 10 * time.Second,
	}
	go func() { _ = l.metrics.ServeTLS(listener, "", "") }() // ends with Close
	return l.registerMetrics(ctx, crt)
}

// metricsService is the Service that the APIService names: an APIService cannot name an
// address. It leads to the lab's machine.
var metricsService = metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: "metrics"}

// registerMetrics returns when the API server reports the metrics API as Available.
func (l *Lab) registerMetrics(ctx context.Context, ca []byte) error {
	api := metricsAPI(ca)
	for _, obj := range []client.Object{
		&corev1.Service{ObjectMeta: metricsService, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 443}}}},
		&discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: metricsService.Namespace, Name: metricsService.Name,
				Labels: map[string]string{discoveryv1.LabelServiceName: metricsService.Name},
			},
			AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{host.String()}}},
			Ports:       []discoveryv1.EndpointPort{{Name: new(""), Port: new(int32(metricsPort))}},
		},
		api,
	} {
		if err := l.client.Create(ctx, obj); err != nil {
			return fmt.Errorf("register the metrics API: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	return l.Await(ctx, api, func() error { return available(api) })
}

func metricsAPI(ca []byte) *unstructured.Unstructured {
	api := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
		"spec": map[string]any{
			"group": "metrics.k8s.io", "version": "v1beta1",
			"groupPriorityMinimum": int64(100), "versionPriority": int64(100),
			"service":  map[string]any{"namespace": metricsService.Namespace, "name": metricsService.Name},
			"caBundle": base64.StdEncoding.EncodeToString(ca),
		},
	}}
	api.SetName(metricsName)
	return api
}

// available returns nil if the condition Available of api is True.
func available(api *unstructured.Unstructured) error {
	conditions, _, err := unstructured.NestedSlice(api.Object, "status", "conditions")
	if err != nil {
		return err
	}
	for _, c := range conditions {
		if c, ok := c.(map[string]any); ok && c["type"] == "Available" && c["status"] == "True" {
			return nil
		}
	}
	return fmt.Errorf("not available: %v", conditions)
}
