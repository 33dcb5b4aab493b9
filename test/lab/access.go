package lab

import (
	"context"
	"fmt"
	"os"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/headgate/headgate/test/lab/controlplane"
)

// ConfigFor returns a client configuration with exactly the rights of a
// ServiceAccount.
func (l *Lab) ConfigFor(ctx context.Context, namespace, serviceAccount string) (*rest.Config, error) {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: serviceAccount}}
	var request authenticationv1.TokenRequest
	if err := l.client.SubResource("token").Create(ctx, account, &request); err != nil {
		return nil, fmt.Errorf("token of ServiceAccount %s/%s: %w", namespace, serviceAccount, err)
	}
	return l.ControlPlane.ConfigWithToken(request.Status.Token), nil
}

func writeKubeconfig(path string, c *rest.Config) error {
	content, err := controlplane.Kubeconfig(c)
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}
