package controller

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// perDeployment holds one value for each Deployment, until that is gone. The zero value
// is ready to use. A restart loses what it holds.
type perDeployment[V any] struct {
	mu     sync.Mutex
	values map[types.NamespacedName]V
}

func (p *perDeployment[V]) get(key types.NamespacedName) (V, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	value, ok := p.values[key]
	return value, ok
}

func (p *perDeployment[V]) set(key types.NamespacedName, value V) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.values == nil {
		p.values = map[types.NamespacedName]V{}
	}
	p.values[key] = value
}

func (p *perDeployment[V]) forget(key types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.values, key)
}
