package node

import (
	"context"
	"fmt"
	"sync"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// tokens requests one token per ServiceAccount. A token lives longer than any lab.
type tokens struct {
	client kubernetes.Interface
	mu     sync.Mutex
	byUID  map[string]string
}

func newTokens(client kubernetes.Interface) *tokens {
	return &tokens{client: client, byUID: map[string]string{}}
}

// tokenLife outlives any lab. The API server's own limit is far above it.
const tokenLife int64 = 7 * 24 * 3600

// get returns a token of the ServiceAccount. A re-created ServiceAccount has another UID, which its tokens carry.
func (t *tokens) get(ctx context.Context, namespace, name string) (string, error) {
	accounts := t.client.CoreV1().ServiceAccounts(namespace)
	account, err := accounts.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("token of ServiceAccount %s/%s: %w", namespace, name, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if token, ok := t.byUID[string(account.UID)]; ok {
		return token, nil
	}
	life := tokenLife
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &life}}
	answer, err := accounts.CreateToken(ctx, name, request, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("token of ServiceAccount %s/%s: %w", namespace, name, err)
	}
	t.byUID[string(account.UID)] = answer.Status.Token
	return answer.Status.Token, nil
}
