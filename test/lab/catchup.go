package lab

import (
	"context"
	"fmt"
	"io"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// CatchUp waits until the ingress controller has applied every change of Ingresses,
// Services and EndpointSlices that was made before the call. Requests that are sent
// after it are routed by these changes, however busy the machine is.
//
// It makes one more object of each kind, as a marker, and waits until a request gets
// through all three. An informer sees the changes of a kind in the order in which they
// were made, and the controller applies its whole configuration at once: when it knows
// the markers, it knows everything before them.
func (i *Ingress) CatchUp(ctx context.Context) error {
	svc, slice, ing := i.marker()
	if err := i.client.Create(ctx, svc); err != nil {
		return fmt.Errorf("mark the present routes: %w", err)
	}
	// Both take the name that the API server chose.
	slice.Name, slice.Labels = svc.Name, map[string]string{discoveryv1.LabelServiceName: svc.Name}
	ing.Name, ing.Spec.Rules[0].Host = svc.Name, svc.Name+".test"
	ing.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name = svc.Name
	defer func() {
		for _, obj := range []client.Object{ing, slice, svc} {
			_ = i.client.Delete(context.WithoutCancel(ctx), obj) // one that is left harms nobody
		}
	}()
	for _, obj := range []client.Object{slice, ing} {
		if err := i.client.Create(ctx, obj); err != nil {
			return fmt.Errorf("mark the present routes: %w", err)
		}
	}
	if err := Poll(ctx, func() error { return i.throughMarker(ctx, ing.Spec.Rules[0].Host) }); err != nil {
		return fmt.Errorf("the ingress controller does not catch up: %w", err)
	}
	return nil
}

// marker returns three objects that lead from a host, which is not set yet, to the API of
// the ingress controller itself.
func (i *Ingress) marker() (*corev1.Service, *discoveryv1.EndpointSlice, *netv1.Ingress) {
	const port = "http"
	svc := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, GenerateName: "marker-"},
		Spec: corev1.ServiceSpec{
			ClusterIP: corev1.ClusterIPNone,
			Ports:     []corev1.ServicePort{{Name: port, Port: traefikPort}},
		},
	}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: metav1.NamespaceDefault},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{host.String()}}},
		Ports:       []discoveryv1.EndpointPort{{Name: new(port), Port: new(int32(traefikPort))}},
	}
	ing := Sample{Namespace: metav1.NamespaceDefault}.Ingress()
	ing.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Port.Name = port
	return svc, slice, ing
}

// throughMarker asks for a page that the ingress controller's own API has, and no pod.
func (i *Ingress) throughMarker(ctx context.Context, markerHost string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, i.URL()+"/api/version", nil)
	if err != nil {
		return err
	}
	req.Host = markerHost
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, res.Body) // so that the connection can be used again
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", markerHost, res.Status)
	}
	return nil
}
