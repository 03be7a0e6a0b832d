#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Backstage's pod terminal, as its page opens it, in a real browser: a WebSocket
# with no header of its own, in which the session's cookie says who asks. The
# cluster is the only one, or named in the path. Through nginx with TLS to a
# real API server and a node of kwok's.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Stagedoor::Browser;
use Stagedoor::PodPortal;

my $browser = Stagedoor::Browser->start(insecure => 1);
my $portal = Stagedoor::PodPortal->start;
my $cluster = $portal->cluster;
my $elsewhere = free_port();
my $pages = <<'END';
		location = /enter {
			add_header Set-Cookie
			    "portal=$arg_who; Path=/; SameSite=Lax";
			default_type text/html;
			return 200 "<!DOCTYPE html><title>Portal</title>Hi";
		}
		location = /hello {
			default_type text/html;
			return 200 "<!DOCTYPE html><title>Portal</title>Hi";
		}
		location = /favicon.ico { return 204; }
END

# What the terminal of Backstage's page does.
my $script = <<'END';
window.open_terminal = (origin, path, container) => {
	const to = origin.replace('http', 'ws') + path + '?container=' +
	    container + '&stdin=true&stdout=true&stderr=true&tty=true' +
	    '&command=%2Fbin%2Fsh';
	const t = window.terminal = new WebSocket(to, 'channel.k8s.io');
	window.said = '';
	window.state = 'new';
	t.binaryType = 'arraybuffer';
	t.onopen = () => { window.state = 'open' };
	t.onclose = e => { window.state = window.state === 'new' ?
	    'refused' : 'closed' };
	t.onmessage = e => {
		const bytes = new Uint8Array(e.data);
		window.said += new TextDecoder().decode(bytes.slice(1));
	};
};
window.type_there = text => {
	const bytes = new TextEncoder().encode('\0' + text);
	window.terminal.send(bytes);
};
END

my $exec = '/api/v1/namespaces/shop/pods/pod-1/exec';

# How it ended, and the page; at: the origin of the page.
sub opened {
	my ($who, $path, %opt) = @_;
	my $own = "https://127.0.0.1:$portal->{web}{tls}";
	my $at = $opt{at} // $own;
	my $page = $browser->page;
	$page->goto($who eq '' ? "$at/hello" : "$at/enter?who=$who");
	$page->eval($script);
	$page->eval('open_terminal(' . join(', ', map { encode_json([$_])
	    =~ s/^\[|\]$//gr } $own, "/api/kubernetes$path$exec",
	    $opt{container} // 'c1') . ')');
	$page->wait(sub { $page->eval('window.state') ne 'new' }, 'an answer');
	return ($page->eval('window.state'), $page);
}

# The node may lose what is typed before its shell reads: then type again.
sub answers {
	my ($page, $text, $pattern) = @_;
	my $type = 'type_there(' . (encode_json([$text]) =~ s/^\[|\]$//gr)
	    . ')';
	my $typed = 0;
	return $page->wait(sub {
		my $said = $page->eval('window.said');
		return $said if $said =~ $pattern;
		return undef if time < $typed + 5;
		$page->eval($type);
		$typed = time;
		return undef;
	}, "it to say $pattern");
}

# Who was in the pod last, by the cluster's own log.
sub last_in {
	my ($seen) = (grep { ($_->{responseStatus}{code} // 0) == 101 }
	    $cluster->audit(qr{/pod-1/exec\?}))[-1];
	return ($seen->{impersonatedUser} // $seen->{user})->{username};
}

sub works {
	my ($page) = @_;
	like answers($page, "echo \$((6 * 7)) \$IN_POD\n", qr/^42 yes/m),
	    qr/^42 yes/m, 'a shell that answers';
	like answers($page, "echo again \$PPID\n", qr/^again \d/m),
	    qr/^again/m, 'and goes on';
}

subtest 'the only cluster' => sub {
	$portal->serve(source => 'params', only => 'plug-in',
	    server => $pages);
	my ($state, $page) = opened('alice', '/proxy');
	is $state, 'open', 'by /proxy, without a header';
	is $page->eval('terminal.protocol'), 'channel.k8s.io',
	    'with the subprotocol';
	works($page);
	is last_in(), 'system:serviceaccount:shop:runner', 'as the account';
	my $ended = sub { scalar grep { $_->{stage} eq 'ResponseComplete' }
	    $cluster->audit(qr{/exec\?.*tty=true}) };
	is $ended->(), 0, 'it is still there';
	$page->close;
	ok wait_for($ended, 15, 'the end'), 'closing the page ends it';
	is +(opened('', '/proxy'))[0], 'refused', 'nobody gets none';
};

subtest 'one of several' => sub {
	$portal->serve(source => 'params', server => $pages
	    . "listen 127.0.0.1:$elsewhere ssl;\n");
	my %as = (oidc => 'oidc:alice@example.test',
	    acting => 'portal:user:default/alice', certificate => 'admin');
	my @open;
	for my $name (sort keys %as) {
		my ($state, $page) = opened('alice', "/clusters/$name/proxy");
		is $state, 'open', $name;
		works($page);
		is last_in(), $as{$name}, "as $as{$name}";
		push @open, $page;
	}
	like answers($_, "echo still\n", qr/^still/m), qr/still/,
	    'all are open at once' for @open;
	is +(opened('alice', '/proxy'))[0], 'refused',
	    '/proxy does not guess which';
	is +(opened('bob', '/clusters/oidc/proxy'))[0], 'refused',
	    'bob may not';
	is +(opened('carol', '/clusters/oidc/proxy'))[0], 'refused',
	    'carol has not signed in';
	is +(opened('alice', '/clusters/readonly/proxy'))[0], 'refused',
	    'for reading only';
};

subtest 'a page from elsewhere' => sub {
	my $before = () = $cluster->audit(qr{/exec\?});
	# Another port of the same host: her cookie goes along.
	my ($state, $page) = opened('alice', '/clusters/oidc/proxy',
	    at => "https://127.0.0.1:$elsewhere");
	is $state, 'refused', 'gets no terminal';
	my $after = () = $cluster->audit(qr{/exec\?});
	is $after, $before, 'and no cluster hears of it';
	is +(opened('alice', '/clusters/oidc/proxy'))[0], 'open',
	    'as her own page does';
};

done_testing;
