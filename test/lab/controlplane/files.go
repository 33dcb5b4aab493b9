package controlplane

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"strings"

	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// Users with all rights (group system:masters), each with a name of its own so that
// the audit log tells their writes apart.
const (
	Admin             = "lab-admin"
	Node              = "lab-node"
	Ingress           = "lab-ingress"
	controllerManager = "system:kube-controller-manager"
)

// users maps a user's name to its token.
type users map[string]string

func newUsers() users {
	u := users{}
	for _, name := range []string{Admin, Node, Ingress, controllerManager} {
		u[name] = rand.Text()
	}
	return u
}

func (u users) token(name string) string {
	token, ok := u[name]
	if !ok {
		panic(fmt.Sprintf("the lab has no user %q", name))
	}
	return token
}

// csv is the form of --token-auth-file.
func (u users) csv() []byte {
	var b strings.Builder
	for name, token := range u {
		fmt.Fprintf(&b, "%s,%s,%s,system:masters\n", token, name, name)
	}
	return []byte(b.String())
}

// auditPolicy records who wrote what, not its content, once it is done.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  verbs: [create, update, patch, delete, deletecollection]
- level: None
`

// writeFiles makes everything that the programs read.
func (c *ControlPlane) writeFiles() error {
	if err := os.MkdirAll(c.options.Dir, 0o755); err != nil {
		return err
	}
	host := c.options.Host.String()
	crt, key, err := cert.GenerateSelfSignedCertKey(host, []net.IP{net.ParseIP("127.0.0.1"), net.ParseIP("10.96.0.1")},
		[]string{"localhost", "kubernetes.default.svc"})
	if err != nil {
		return fmt.Errorf("make the serving certificate: %w", err)
	}
	signing, err := keyutil.MakeEllipticPrivateKeyPEM()
	if err != nil {
		return fmt.Errorf("make the key of ServiceAccount tokens: %w", err)
	}
	c.ca, c.users = crt, newUsers()
	kubeconfig, err := Kubeconfig(c.Config(controllerManager))
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"apiserver.crt":                 crt,
		"apiserver.key":                 key,
		"serviceaccount.key":            signing,
		"tokens.csv":                    c.users.csv(),
		"audit-policy.yaml":             []byte(auditPolicy),
		"controller-manager.kubeconfig": kubeconfig,
	} {
		if err := c.write(name, content); err != nil {
			return err
		}
	}
	return nil
}
