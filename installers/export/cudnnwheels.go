package export

import (
	"fmt"
	"strings"

	"github.com/deployctl/deployctl/recipes"
)

// wheelOfCuDNN is NVIDIA's own package of cuDNN for Windows on x86-64 in the
// Python package index, whose wheel has what its archive has.
type wheelOfCuDNN struct {
	cuda         int
	version, sum string
}

func (w wheelOfCuDNN) requirement() string {
	return fmt.Sprintf("nvidia-cudnn-cu%d==%s", w.cuda, w.version)
}

// cudnnWheels are the newest wheel of each series. The sums are SHA-256, as the
// index stated them to pip on 2026-11-28.
var cudnnWheels = []wheelOfCuDNN{
	{11, "8.9.4.25", "c39cf14efb0ae7b4bf7396fba19a13d1c7f035e913fec254b163c3edcfb65fc5"},
	{11, "9.0.0.312", "ffc021dbfe536c999628d19f2f266b8859bf3e3ae3b756e0d232d2cc36a82f30"},
	{11, "9.1.1.17", "ea41fb5c7542bfa068d13c4d6ec88f4bb20e6c672bff8a0787edb964ddd8b998"},
	{11, "9.2.1.18", "1a09fb46b5ed488bddf26ef90d3a94807a2cb9c300382a1363815fa3528523ee"},
	{11, "9.3.0.75", "35f1b7ad65aca04de9bc9afb1f910261abcb5204de54349bf36d519fd180054e"},
	{11, "9.4.0.58", "e549ab8844a0c9e21208bf2abc10c4a46204d258ec70df8e794241a645f85c54"},
	{11, "9.5.1.17", "ba926bb600c56fd16794e96c11477cda5e244de5c45f4d81b5f4d359c568498f"},
	{11, "9.6.0.74", "b7ffd36b6229671a02fbb81cd8be4232d457f445b0b0996e7814ecbc2731334d"},
	{11, "9.7.1.26", "fe7733628f517b16a0c1e4af4bee2d2b63ad5942cba251e32977e25308f8d3eb"},
	{11, "9.8.0.87", "fbf7bfb3a8a250f852ca49b1158bac0cf4d134af84cb3dbdf6085b6fad936632"},
	{11, "9.9.0.52", "312a9df8743e53401bad81f67d6aba14af4b9676930cb24bea4b86279736f456"},
	{11, "9.10.2.21", "7eda8914b8e9fbb323c6e1c864e4eaf6c717a0c7318c976d1dbedbdcfe648335"},
	{12, "8.9.4.25", "e64a6be111aa3e9af4376ea84851730f9e745f560818f6961edbdbfbcc14d62f"},
	{12, "8.9.6.50", "acfc4447a9345e8ba525e3b0641ee64bdfd35189ab9904241814ff991792f77a"},
	{12, "8.9.7.29", "4447321a2bdc8bd965084c1824575eb04f47a03ab62bbeb6cce7e9f74c3657f3"},
	{12, "9.0.0.312", "52043ee7507dfcc1eff4d2c5c208b8b6531d71b224bc586aec5c92075b677563"},
	{12, "9.1.1.17", "d7c4b96b1c5ca8e4dc0bdbf2ce386903ba03faa94d2997b72769fa5048cb5f1f"},
	{12, "9.2.1.18", "5cda70eac95d7e02d42b377b1088a45a36d57cfb4bfc16a07794755901b3f2ae"},
	{12, "9.3.0.75", "c819e82eed8cf564b9d37478ea4eab9e87194bb3b7f7f8098bc1f67c9b80f1b6"},
	{12, "9.4.0.58", "cbbc57da0cbab1f7f3a9b7790f702b75c9adb00ee67499e84dba2b458065749b"},
	{12, "9.5.1.17", "d7af0f8a4f3b4b9dbb3122f2ef553b45694ed9c384d5a75bab197b8eefb79ab8"},
	{12, "9.6.0.74", "6a6466301b5ab1f0d8e62b14cdd02a714158f32f70ee99892218bec661e76595"},
	{12, "9.7.1.26", "7b805b9a4cf9f3da7c5f4ea4a9dff7baf62d1a612d6154a7e0d2ea51ed296241"},
	{12, "9.8.0.87", "b4b5cfddc32aa4180f9d390ee99e9a9f55a89e7087329b41aba4319327e22466"},
	{12, "9.9.0.52", "d53036b7edad1a85b5d59580defc91e30326746fde21ffc701eb8b4d4695eca1"},
	{12, "9.10.2.21", "c6288de7d63e6cf62988f0923f96dc339cea362decb1bf5b3141883392a7d65e"},
	{12, "9.11.1.4", "463558946eadedacd31cd63c13f832e9c976405f82e10addee909d50162bf22d"},
	{12, "9.12.0.46", "723195f8dc6280643a1438f2a22f7bf16f56b8cc4a497ff71d0872b9e9460206"},
	{12, "9.13.1.26", "f4782db28b67abb5e8f4cfd6c8f8c4af9364cfbba6ccdd642e279ef2dec6970b"},
	{12, "9.14.0.64", "c06ac5ea9e199bcee41f27615d50110ab21fd5318f69770cc9ca40cf0a9528e8"},
	{12, "9.15.1.9", "478a605c3f027e18740fd70884ee706ebcd852cf20a0069cdc24cf855319cc5f"},
	{12, "9.16.0.29", "142e2bd646a4573ab17d61a24c6359155cdfe1f34c67fc305b71222a7ae45b8e"},
	{12, "9.17.1.4", "0760c843fb109631edf5bd4234f2a260a13a05c18ee2a20783fbb4eb04d56645"},
	{12, "9.18.1.3", "0b2d0f64afc2eccc4f3e6442c78a0de92359a320d9f12bb95e441133b9260b12"},
	{12, "9.19.0.56", "cec70596b9ce878fab83810c3f5a2e606d35f510e5fee579759e4cbc68a23750"},
	{12, "9.20.0.48", "9cac47d5be5e5d84f53358fa688d41f2ae35e9a920c0e3eeb48bce4ada5460d9"},
	{13, "9.12.0.46", "171f7a41a9ddff4a82b158b44daa003701b9681f202b0e57c2d8fd47e13b0de3"},
	{13, "9.13.1.26", "829ada5fd649e6ad81f5e3968d9ca03c73e90de3fa67295c5dbb13926d09852a"},
	{13, "9.14.0.64", "32ccb3d596fa1246a9bced108eb178955fd0f35406245efff4663611c18317cd"},
	{13, "9.15.1.9", "e99068ca372b9791483759705ff79545e6e0ab5fe6352772e084cc6d1a419ab6"},
	{13, "9.16.0.29", "79dc1bfe8c1a780cf4eb7b334d14d7927576d6dd8823f8e2769911af30fd4da3"},
	{13, "9.17.1.4", "96e3e37c504e6b9cd059d52586858fcd7a95f7a2718548c1c64a62d72a6f96c0"},
	{13, "9.18.1.3", "eff1c2b0aa41b5ca6c332d957acb04736cdc3cc3ddef280035ee9ead2701bf8b"},
	{13, "9.19.1.2", "07f61c3726f9b142966bd96dde23cdf2f987f142d99b7d46e4dabfdd5d85789e"},
	{13, "9.20.0.48", "af8139732b99c0118be65ea5aac97f0d46018f8c552889e49d2fb0c6261a4a24"},
	{13, "9.21.1.3", "eb7cea445910da68d64e17bedd4a023abefbdcc414ec369dc40e82fff9153501"},
	{13, "9.22.0.52", "ab6dc11dfd75c7ffed9b17dea3eb9380f68e5e3dc4eebce16fe1eda67135392c"},
}

// cudnnWheel finds the wheel of a cuDNN for a CUDA: of that very release, or of
// its series where only two numbers are known; false for none.
func cudnnWheel(version string, cuda int) (wheelOfCuDNN, bool) {
	var found wheelOfCuDNN
	for _, w := range cudnnWheels {
		switch {
		case w.cuda != cuda:
		case strings.HasPrefix(w.version+".", version+"."):
			return w, true
		case recipes.Series(w.version) == recipes.Series(version):
			found = w
		}
	}
	return found, found.version != ""
}
