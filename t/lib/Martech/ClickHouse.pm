package Martech::ClickHouse;

# A real clickhouse-server of one test, with data of its own.

use strict;
use warnings;

use Martech::Http qw(basic http);
use Martech::Process;
use Martech::Wait qw(wait_until);


my $PROGRAM = '/usr/sbin/clickhouse-server';
my $PASSWORD = 'martech-test';


sub found { -x $PROGRAM || -x '/usr/bin/clickhouse-server' }
sub password { $PASSWORD }


# dir; port => of HTTP; tcp => of its own protocol
sub new {
    my ($class, %arg) = @_;
    my $self = bless { %arg }, $class;

    mkdir $self->{dir};
    mkdir "$self->{dir}/$_" for qw(data tmp);
    $self->write('users.xml', <<"END");
<yandex>
 <profiles><default/></profiles>
 <quotas><default/></quotas>
 <users><default>
  <password>$PASSWORD</password>
  <networks><ip>::/0</ip></networks>
  <profile>default</profile><quota>default</quota>
 </default></users>
</yandex>
END
    $self->write('config.xml', <<"END");
<yandex>
 <logger><level>warning</level>
  <log>$self->{dir}/server.log</log>
  <errorlog>$self->{dir}/error.log</errorlog></logger>
 <http_port>$self->{port}</http_port><tcp_port>$self->{tcp}</tcp_port>
 <listen_host>127.0.0.1</listen_host>
 <path>$self->{dir}/data/</path><tmp_path>$self->{dir}/tmp/</tmp_path>
 <users_config>$self->{dir}/users.xml</users_config>
 <default_profile>default</default_profile>
 <default_database>default</default_database>
 <mark_cache_size>67108864</mark_cache_size>
</yandex>
END
    $self->start();

    return $self;
}


sub write {
    my ($self, $name, $text) = @_;

    open my $fh, '>', "$self->{dir}/$name" or die "cannot write: $!\n";
    print $fh "<?xml version=\"1.0\"?>\n$text";
    close $fh;
}


sub start {
    my ($self) = @_;

    $self->{process} = Martech::Process->start(
        name => 'clickhouse-server', output => "$self->{dir}/output",
        argv => [-x $PROGRAM ? $PROGRAM : '/usr/bin/clickhouse-server',
                 "--config-file=$self->{dir}/config.xml"]);

    wait_until(sub {
        !$self->{process}->alive() || eval { $self->query('SELECT 1') == 1 };
    }, 30, 'clickhouse-server answers');

    die "clickhouse-server did not start: see $self->{dir}/output\n"
        unless $self->{process}->alive();
}


sub stop { $_[0]{process}->stop('TERM', 10) }
sub url { "http://127.0.0.1:$_[0]{port}" }


# what a query answers, without the last line end
sub query {
    my ($self, $query) = @_;
    my $answer = http($self->{port}, 'POST', '/', type => 'text/plain',
                      body => $query,
                      headers => [Authorization => basic('default',
                                                         $PASSWORD)]);

    die "$query: $answer->{body}\n" unless $answer->{status} == 200;

    return $answer->{body} =~ s/\n\z//r;
}


1;
