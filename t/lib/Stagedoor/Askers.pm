# SPDX-License-Identifier: Apache-2.0
# People who ask the same cluster at the same time, each in the same random
# order of questions, and hold every answer against who asked: nobody may ever
# get another's.
#
#	my $askers = Stagedoor::Askers->new(portal => $portal, people => {
#	    alice => { space => 'alice' }, bob => {}, dora => { out => 1 } });
#	my $result = $askers->ask_for(60);
#	# { asked, by => { NAME => { 200 => N, ... } }, wrong => [TEXT...] }
#
# A person has a name at the issuer (NAME@example.test) and may have a
# namespace, called as "space" says, that holds a config map "mine" with
# owner: NAME and note: only-for-NAME. "out" is not signed in. For each space
# there is an entity component:default/SPACE-app.
package Stagedoor::Askers;

use strict;
use warnings;

use Stagedoor::HTTP;
use Stagedoor::JSON qw(decode_json encode_json);
use Stagedoor::Process;
use Stagedoor::SignIn;
use Stagedoor::Util qw(tempdir write_file);
use Time::HiRes qw(sleep time);

use constant PROXY => '/clusters/real/proxy';

# Options: portal, people, askers (processes, 6), seed.
sub new {
	my ($class, %opt) = @_;
	my $self = bless { askers => 6,
	    seed => $ENV{STAGEDOOR_SEED} // int rand 1e6, %opt }, $class;
	$self->{names} = [sort keys %{$self->{people}}];
	$self->{spaces} = [grep { defined } map { $self->{people}{$_}{space} }
	    @{$self->{names}}];
	return $self;
}

sub ask_for {
	my ($self, $seconds) = @_;
	my $dir = tempdir();
	my @all = map { my $n = $_; my $file = "$dir/asker-$n.json";
	    [$file, $self->_fork($n, $file, time + $seconds)] }
	    1 .. $self->{askers};
	my %sum = (asked => 0, by => {}, wrong => [],
	    seed => $self->{seed});
	for (@all) {
		my ($file, $process) = @$_;
		$process->wait_end($seconds + 60);
		$process->stop;
		_add(\%sum, -e $file ? decode_json(
		    Stagedoor::TLS::slurp($file))
		    : { wrong => ["an asker ended: $file"] });
	}
	return \%sum;
}

sub _add {
	my ($sum, $one) = @_;
	push @{$sum->{wrong}}, @{$one->{wrong}};
	$sum->{asked} += $one->{asked} // 0;
	for my $name (keys %{$one->{by} // {}}) {
		$sum->{by}{$name}{$_} += $one->{by}{$name}{$_}
		    for keys %{$one->{by}{$name}};
	}
}

sub _fork {
	my ($self, $n, $file, $until) = @_;
	my $pid = fork() // die "fork: $!";
	if ($pid == 0) {
		$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
		srand $self->{seed} + $n;
		my $result = eval { $self->_ask_until($until) }
		    // { wrong => ["asker $n: $@"] };
		write_file("$file.tmp", encode_json($result));
		rename "$file.tmp", $file;
		POSIX::_exit(0);
	}
	return Stagedoor::Process->adopt(name => "asker-$n", pid => $pid);
}

my @QUESTIONS = (\&_who_am_i, \&_look, \&_look_by_header, \&_query, \&_query,
    \&_clusters);

sub _ask_until {
	my ($self, $until) = @_;
	my %result = (asked => 0, by => {}, wrong => []);
	while (time < $until && @{$result{wrong}} < 20) {
		my $name = $self->{names}[rand @{$self->{names}}];
		my $question = $QUESTIONS[rand @QUESTIONS];
		my ($answer, $why) = $question->($self, $name);
		my $status = $answer->{status} // $answer->{error} // 'none';
		$result{asked}++;
		$result{by}{$name}{$status}++;
		$why = $self->_anothers($name, $answer->{body} // '') // $why;
		push @{$result{wrong}}, "$name: $why: $status "
		    . substr $answer->{body} // '', 0, 400 if defined $why;
		sleep rand 0.06;
	}
	return \%result;
}

# Does it hold what is for another's eyes?
sub _anothers {
	my ($self, $name, $body) = @_;
	while ($body =~ /only-for-(\w+)|oidc:(\w+)\@/g) {
		my $whose = $1 // $2;
		return "got what is of $whose" if $whose ne $name;
	}
	return undef;
}

sub _request {
	my ($self, $name, $method, $path, %opt) = @_;
	my ($portal, $headers) = ($self->{portal},
	    delete $opt{headers} // {});
	my (undef, $who) = $portal->as($name);
	return $portal->web->request($method, Stagedoor::SignIn::BASE . $path,
	    %opt, headers => { %$who, %$headers }, timeout => 60);
}

# --- Questions: (answer, what is wrong with it) -----------------------------

sub _body { return eval { decode_json($_[0]{body}) } // {} }

# What all who are not signed in must be told through /proxy.
sub _sign_in_first {
	my ($answer) = @_;
	return 'not told to sign in' if ($answer->{status} // 0) != 401
	    || $answer->{body} !~ m{/connect};
	return undef;
}

sub _who_am_i {
	my ($self, $name) = @_;
	my $answer = $self->_request($name, POST => PROXY
	    . '/apis/authentication.k8s.io/v1/selfsubjectreviews',
	    json => { apiVersion => 'authentication.k8s.io/v1',
		kind => 'SelfSubjectReview' });
	return ($answer, _sign_in_first($answer))
	    if $self->{people}{$name}{out};
	my $who = _body($answer)->{status}{userInfo}{username} // '?';
	return ($answer, $who eq "oidc:$name\@example.test" ? undef
	    : "the cluster took it for $who");
}

sub _some_space {
	my ($self) = @_;
	return $self->{spaces}[rand @{$self->{spaces}}];
}

sub _look { return _look_at(@_, PROXY, {}) }

sub _look_by_header {
	return _look_at(@_, '/proxy', { 'Backstage-Kubernetes-Cluster' =>
	    'real' });
}

sub _look_at {
	my ($self, $name, $proxy, $headers) = @_;
	my $space = $self->_some_space;
	my $answer = $self->_request($name, GET =>
	    "$proxy/api/v1/namespaces/$space/configmaps/mine",
	    headers => $headers);
	my $person = $self->{people}{$name};
	return ($answer, _sign_in_first($answer)) if $person->{out};
	my $status = $answer->{status} // 0;
	return ($answer, $status == 403 ? undef : "$space is not closed")
	    if ($person->{space} // '') ne $space;
	return ($answer, 'its own is closed') if $status != 200;
	return ($answer, _body($answer)->{data}{owner} eq $name ? undef
	    : 'the owner is another');
}

sub _query {
	my ($self, $name) = @_;
	my $space = $self->_some_space;
	my $answer = $self->_request($name, POST =>
	    '/resources/workloads/query',
	    json => { entityRef => "component:default/$space-app" });
	my ($row) = @{_body($answer)->{items} // []};
	return ($answer, 'no row') if !$row;
	my @errors = @{$row->{errors}};
	my %codes = map { ($_->{statusCode} // $_->{errorType}) => 1 }
	    @errors;
	my $codes = join ' ', sort keys %codes;
	my $person = $self->{people}{$name};
	return ($answer, $codes eq '401 FETCH_ERROR' ? undef
	    : "a row with '$codes', not signed in") if $person->{out};
	return ($answer, $codes eq '403' ? undef
	    : "a row with '$codes', no rights")
	    if ($person->{space} // '') ne $space;
	return ($answer, $codes ne '' ? "a row with '$codes', own"
	    : $answer->{body} !~ /only-for-$name/ ? 'nothing found' : undef);
}

sub _clusters {
	my ($self, $name) = @_;
	my $answer = $self->_request($name, GET => '/clusters');
	my @names = map { $_->{name} } @{_body($answer)->{items} // []};
	return ($answer, "@names" eq 'real' ? undef : 'not listed');
}

1;
