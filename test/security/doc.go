// Package security tests what a person who may edit one namespace can make Headgate do. The
// person has a ServiceAccount with the rights of Kubernetes' role edit in a namespace, and a
// real token. For every annotation of package spec there are values in bad faith
// (attempts_test.go). Each is either refused by the API server, or stored and without effect
// outside the namespace:
//
//	who      what it has                                  what must not happen
//	-------  -------------------------------------------  ---------------------------------------------
//	user     a namespace, an application, a token         Headgate does there what the user could not
//	tenant   another namespace, with objects to steal     a write, a read, an answer that names one
//	operator ConfigMaps, gates, a provider with a secret  a request or a text that is not for the user
//
// stayedInside is the last check: it looks at every write of Headgate to the API server, and at
// every request that anybody's listener got.
package security
