// Package argolua tests the Lua of examples/argocd on Deployments that package gitops
// recorded, in a Lua with the settings of Argo CD, and keeps argocd-cm.yaml the same as the
// Lua files:
//
//	go -C test test ./gitops/argolua -update
package argolua
